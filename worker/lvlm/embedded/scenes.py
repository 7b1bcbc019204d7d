"""Digits with a grey square beside them, and the clusters that small networks really base their decisions on.

The embedded LVLM learns on these. The clusters are no drawn blobs: networks are trained on the digits, their
decisions attributed and clustered by the product's own stages, so that the LVLM meets in training what it meets in use.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from worker.lvlm.embedded.digits import SIDE, draw_digits
from worker.method.attribution import attribute
from worker.method.clustering import cluster, evidence

INK = 50  # grey value from which a pixel counts as part of a stroke
BASELINES = 12
Decoys = Literal["label", "random", "anywhere", "none"]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Digits:
    images: Bytes  # (N, 28, 28)
    labels: Ints  # (N,)
    squares: Bools  # (N, 28, 28), true on the grey square


@dataclass(frozen=True)
class Scene:
    """One digit, its clusters, and where the positive evidence of each cluster lies (shares that sum to 1)."""

    image: Bytes  # (28, 28)
    label: int
    assignment: npt.NDArray[np.int8]  # (28, 28), 0..J-1 or -1
    square_pixels: Bools  # (28, 28)
    square: tuple[float, ...]  # (J,) share on the grey square
    ink: tuple[float, ...]  # (J,) share on or beside the digit's strokes


def with_squares(digits: Bytes, labels: Ints, decoys: Decoys, generator: np.random.Generator) -> Digits:
    """Draw a grey square into each digit. Decoy-MNIST (Ross et al. 2017) has ``label``: 4 x 4 in a random corner, its
    grey value told by the class. ``random``: any grey value. ``anywhere``: any place and 3 to 6 pixels. ``none``: none.
    """
    images, squares = digits.copy(), np.zeros(digits.shape, dtype=np.bool_)
    if decoys == "none":
        return Digits(images, labels, squares)
    for index, label in enumerate(labels):
        side = int(generator.integers(3, 7)) if decoys == "anywhere" else 4
        room = SIDE - side
        at = generator.integers(0, room + 1, 2) if decoys == "anywhere" else room * generator.integers(0, 2, 2)
        squares[index, at[0] : at[0] + side, at[1] : at[1] + side] = True
        grey = 255 - 25 * label if decoys == "label" else generator.integers(25, 256)
        images[index][squares[index]] = grey
    return Digits(images, labels, squares)


def drawn(count: int, decoys: Decoys, generator: np.random.Generator) -> Digits:
    labels = generator.integers(0, 10, count)
    return with_squares(draw_digits(labels, generator), labels, decoys, generator)


def as_input(images: Bytes) -> Tensor:
    """(N, 28, 28) bytes -> (N, 1, 28, 28) in [0, 1]."""
    return torch.from_numpy(images).float().div(255)[:, None]


def trained_network(digits: Digits, seed: int, epochs: int = 8) -> nn.Module:
    """A 784-256-128-10 network that learned these digits, and their squares where they tell the label."""
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(SIDE**2, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    with torch.no_grad():
        for parameter in network.parameters():
            bound = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.0
            parameter.uniform_(-bound, bound, generator=generator)
    inputs, labels = as_input(digits.images), torch.from_numpy(digits.labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(epochs):
        order = torch.randperm(len(inputs), generator=generator)
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            optimizer.zero_grad()
            loss: Tensor = nn.functional.cross_entropy(network(inputs[batch]), labels[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.eval()


def explained(
    network: nn.Module, digits: Digits, baselines: Bytes, components: int, sharpening: float, support: float
) -> list[Scene]:
    """Attribute and cluster the network's decision on each digit, as the product does."""
    inputs, labels = as_input(digits.images), torch.from_numpy(digits.labels)
    attribution = attribute(network, inputs, labels, as_input(baselines), "deeplift_shap")
    assignment = cluster(attribution, components, sharpening, support).assignment.numpy()
    weights = evidence(attribution, sharpening).numpy()
    return [_scene(digits, index, assignment[index], weights[index], components) for index in range(len(digits.images))]


def _scene(
    digits: Digits, index: int, assignment: npt.NDArray[np.int8], weights: npt.NDArray[np.float32], components: int
) -> Scene:
    square, ink = digits.squares[index], beside(digits.images[index] >= INK) & ~beside(digits.squares[index])
    own = [np.where(assignment == number, weights, 0) for number in range(components)]
    total = [max(float(part.sum()), 1e-12) for part in own]
    return Scene(
        image=digits.images[index],
        label=int(digits.labels[index]),
        assignment=assignment,
        square_pixels=square,
        square=tuple(float(part[square].sum()) / whole for part, whole in zip(own, total, strict=True)),
        ink=tuple(float(part[ink].sum()) / whole for part, whole in zip(own, total, strict=True)),
    )


def beside(pixels: Bools) -> Bools:
    """The pixels and those next to them."""
    padded = np.pad(pixels, 1)
    shifts = [padded[1:-1, 1:-1], padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    near: Bools = np.logical_or.reduce(shifts)
    return near


# What a network was trained on, and what it is then asked about: the square tells the label, as in Decoy-MNIST, or not.
SCHOOLS: tuple[tuple[Decoys, Decoys], ...] = (
    *(("label", "label"), ("label", "label"), ("label", "random"), ("random", "label"), ("label", "anywhere")),
    *(("anywhere", "anywhere"), ("anywhere", "random"), ("none", "random"), ("label", "none")),
)
DECOY_MNIST: tuple[tuple[Decoys, Decoys], ...] = (("label", "label"), ("label", "random"))
TRAINING_DIGITS = 2000
WAYS = 4  # of clustering one network's explanations
COMPONENTS = (3, 4, 5, 5, 5, 6)
SHARPENING = (1.0, 1.0, 1.0, 1.5, 2.0)
SUPPORT = (0.8, 0.9, 0.95, 0.95, 0.95, 1.0)


def draw_scenes(
    count: int, generator: np.random.Generator, schools: Sequence[tuple[Decoys, Decoys]] = SCHOOLS
) -> list[Scene]:
    """``count`` scenes from one trained network for each school, each with its own digits and ways of clustering."""
    scenes: list[Scene] = []
    for number, (learned, asked) in enumerate(schools):
        school = drawn(TRAINING_DIGITS, learned, generator)
        network = trained_network(school, seed=int(generator.integers(2**31)), epochs=int(generator.integers(3, 9)))
        wanted = count * (number + 1) // len(schools) - len(scenes)
        for portion in [len(part) for part in np.array_split(np.arange(wanted), WAYS) if len(part)]:
            scenes += explained(
                network,
                drawn(portion, asked, generator),
                school.images[:BASELINES],
                components=int(generator.choice(COMPONENTS)),
                sharpening=float(generator.choice(SHARPENING)),
                support=float(generator.choice(SUPPORT)),
            )
    scenes = [_merged(scene, generator) if generator.random() < MERGED else scene for scene in scenes]
    # Clusters on the square are rare, and their numbers say nothing: the same scene with others is another.
    return [_renumbered(scene, generator) for scene in scenes for _ in range(COPIES if on_the_square(scene) else 1)]


COPIES = 3


def on_the_square(scene: Scene) -> bool:
    """Whether one of the clusters lies mostly on the square."""
    return max(scene.square) > 1 / 2


def _renumbered(scene: Scene, generator: np.random.Generator) -> Scene:
    """The same clusters in another order."""
    order = generator.permutation(len(scene.square))
    assignment = np.append(np.argsort(order), -1).astype(np.int8)[scene.assignment]
    square, ink = (tuple(shares[index] for index in order) for shares in (scene.square, scene.ink))
    return replace(scene, assignment=assignment, square=square, ink=ink)


# In this share of the scenes two clusters become one: mixed evidence is rare, and the LVLM should see it.
MERGED = 0.08


def _merged(scene: Scene, generator: np.random.Generator) -> Scene:
    """Join the cluster with the most evidence on the square to another one, half and half."""
    first = int(np.argmax(scene.square))
    other = int(generator.choice([number for number in range(len(scene.square)) if number != first]))
    assignment = scene.assignment.copy()
    assignment[assignment == other] = first
    pixels = [max(1, int((scene.assignment == number).sum())) for number in (first, other)]
    weight = pixels[0] / sum(pixels)
    square, ink = (
        tuple(
            weight * values[first] + (1 - weight) * values[other] if number == first else value
            for number, value in enumerate(values)
        )
        for values in (scene.square, scene.ink)
    )
    return replace(scene, assignment=assignment, square=square, ink=ink)
