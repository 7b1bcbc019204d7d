"""The networks whose decisions the embedded LVLM learns to describe: what each was trained on, and what it is asked."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from worker.datasets.synthetic.knees import draw_knees
from worker.datasets.synthetic.lesions import draw_lesions
from worker.lvlm.embedded.digits import SIDE, draw_digits
from worker.lvlm.embedded.language import Domain
from worker.lvlm.embedded.scenes import (
    DOMAINS,
    Bools,
    Bytes,
    Ints,
    Pictures,
    Scene,
    Way,
    as_input,
    beside,
    explained,
    varied,
)
from worker.vision.architectures import build
from worker.vision.preprocessing import Preprocessing
from worker.vision.training import load_pretrained

INK = 50  # grey value from which a pixel counts as part of a stroke
BASELINES = {"digits": 12, "radiograph": 5, "skin": 5}
COMPONENTS = (3, 4, 5, 5, 5, 6)
# What a side marker or a patch needs to be found, a digit does not.
SHARPENING: dict[Domain, tuple[float, ...]] = {
    "digits": (1.0, 1.0, 1.0, 1.5, 2.0),
    "radiograph": (1.0, 1.5, 2.0, 2.0),
    "skin": (1.0, 1.5, 2.0, 2.0),
}
SUPPORT: dict[Domain, tuple[float, ...]] = {
    "digits": (0.8, 0.9, 0.95, 0.95, 0.95, 1.0),
    "radiograph": (0.8, 0.9, 0.95, 1.0, 1.0),
    "skin": (0.8, 0.9, 0.95, 1.0, 1.0),
}
Decoys = Literal["label", "random", "anywhere", "none"]
Generator = np.random.Generator


def with_squares(digits: Bytes, labels: Ints, decoys: Decoys, generator: Generator) -> Pictures:
    """Draw a grey square into each digit. Decoy-MNIST (Ross et al. 2017) has ``label``: 4 x 4 in a random corner, its
    grey value told by the class. ``random``: any grey value. ``anywhere``: any place and 3 to 6 pixels. ``none``: none.
    """
    images, squares = digits.copy(), np.zeros(digits.shape, dtype=np.bool_)
    for index, label in enumerate(labels) if decoys != "none" else ():
        side = int(generator.integers(3, 7)) if decoys == "anywhere" else 4
        room = SIDE - side
        at = generator.integers(0, room + 1, 2) if decoys == "anywhere" else room * generator.integers(0, 2, 2)
        squares[index, at[0] : at[0] + side, at[1] : at[1] + side] = True
        grey = 255 - 25 * label if decoys == "label" else generator.integers(25, 256)
        images[index][squares[index]] = grey
    return digit_pictures(images, labels, squares)


def digit_pictures(images: Bytes, labels: Ints, squares: Bools) -> Pictures:
    """The core of a digit are its strokes and the pixels next to them, where evidence for a stroke lies too."""
    strokes = [beside(image >= INK) & ~beside(square) for image, square in zip(images, squares, strict=True)]
    return Pictures("digits", images, labels, squares, np.array(strokes, dtype=np.bool_).reshape(images.shape))


def drawn_digits(count: int, decoys: Decoys, generator: Generator) -> Pictures:
    labels = generator.integers(0, 10, count)
    return with_squares(draw_digits(labels, generator), labels, decoys, generator)


def drawn_photographs(
    domain: Domain, count: int, rates: tuple[float, float], side: int, generator: Generator
) -> Pictures:
    """Radiographs or skin lesions of ``side`` pixels; ``rates``: how often each of the two classes has the artefact."""
    labels = generator.integers(0, 2, count)
    present = generator.random(count) < np.array(rates)[labels]
    drawn = (draw_knees if domain == "radiograph" else draw_lesions)(labels, present, side, generator)
    images = drawn.images[..., 0] if drawn.images.shape[-1] == 1 else drawn.images
    # Evidence for a letter lies beside its strokes as well: a marker is the box around it.
    artefact = np.array([boxed(mask) for mask in drawn.artefact]) if domain == "radiograph" else drawn.artefact
    return Pictures(domain, images, labels, artefact, drawn.core & ~artefact)


def boxed(mask: Bools) -> Bools:
    """(H, W): the smallest upright box around the mask."""
    filled = np.zeros_like(mask)
    if mask.any():
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return filled


@dataclass(frozen=True)
class Pupil:
    """A network for photographs, and how often each class had the artefact while it learned."""

    architecture: str
    rates: tuple[float, float]
    side: int
    epochs: int


# The artefact tells one class or the other; those that learn it badly look at what else is there.
PUPILS = (
    Pupil("timm/tf_efficientnet_lite0", (0.05, 0.95), 96, 2),
    Pupil("small_cnn", (0.03, 0.97), 72, 8),
    Pupil("timm/tf_efficientnet_lite0", (0.95, 0.05), 84, 2),
    Pupil("small_cnn", (0.97, 0.03), 84, 6),
)
# What a network for digits was trained on, and what it is then asked about.
SCHOOLS: tuple[tuple[Decoys, Decoys], ...] = (
    *(("label", "label"), ("label", "label"), ("label", "random"), ("random", "label"), ("label", "anywhere")),
    *(("anywhere", "anywhere"), ("anywhere", "random"), ("none", "random"), ("label", "none")),
)
TRAINING_DIGITS, TRAINING_PHOTOGRAPHS = 2000, 500  # pictures that a network learns from, at most
LEARNED_FOR_EACH = 6  # so many for each that it is asked about: who wants few scenes does not wait for them
WAYS = 4  # of clustering the explanations of one network
ASKED = (0.7, 0.7)  # how often the pictures asked about have the artefact


def network_for_digits(pictures: Pictures, seed: int, epochs: int = 8) -> nn.Module:
    """A 784-256-128-10 network that learned these digits, and their squares where they tell the label."""
    network = build("mlp", 10, Preprocessing(size=SIDE, channels=1, mean=(0.0,), std=(1.0,)), seed)
    return trained(network, pictures, seed, epochs, 1e-3)


def network_for_photographs(pupil: Pupil, pictures: Pictures, seed: int) -> nn.Module:
    channels: Literal[1, 3] = 1 if pictures.images.ndim == 3 else 3  # noqa: PLR2004 - grey
    zeros, ones = (0.0,) * channels, (1.0,) * channels
    network = build(
        pupil.architecture, 2, Preprocessing(size=pupil.side, channels=channels, mean=zeros, std=ones), seed
    )
    if pupil.architecture.startswith("timm/"):
        load_pretrained(network, pupil.architecture)
    return trained(network, pictures, seed, pupil.epochs, 1e-3)


def trained(network: nn.Module, pictures: Pictures, seed: int, epochs: int, learning_rate: float) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    inputs, labels = as_input(pictures.images), torch.from_numpy(pictures.labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(inputs), generator=generator)
        for batch in torch.split(order, 32):
            if len(batch) == 1:  # of which batch norm cannot take a variance
                continue
            optimizer.zero_grad()
            loss: Tensor = nn.functional.cross_entropy(network(inputs[batch]), labels[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.eval()


def draw_scenes(count: int, generator: Generator, domains: tuple[Domain, ...] = DOMAINS) -> list[Scene]:
    """About ``count`` scenes (more by the copies of rare ones), as many of each domain, in no order."""
    scenes: list[Scene] = []
    for number, domain in enumerate(domains):
        wanted = count * (number + 1) // len(domains) - count * number // len(domains)
        draw = digit_scenes(wanted, generator) if domain == "digits" else photograph_scenes(domain, wanted, generator)
        scenes += varied(draw, generator)
    return scenes


def digit_scenes(count: int, generator: Generator, schools: tuple[tuple[Decoys, Decoys], ...] = SCHOOLS) -> list[Scene]:
    """From one trained network for each school that is asked for any, each with own digits and ways of clustering."""
    scenes: list[Scene] = []
    for number, (learned, asked) in enumerate(schools):
        wanted = count * (number + 1) // len(schools) - len(scenes)
        if not wanted:
            continue
        school = drawn_digits(min(TRAINING_DIGITS, LEARNED_FOR_EACH * count), learned, generator)
        network = network_for_digits(school, int(generator.integers(2**31)), int(generator.integers(3, 9)))
        for portion in _portions(wanted):
            pictures = drawn_digits(portion, asked, generator)
            scenes += explained(network, pictures, school.images[: BASELINES["digits"]], some_way(generator, "digits"))
    return scenes


def photograph_scenes(domain: Domain, count: int, generator: Generator) -> list[Scene]:
    """From one trained network for each of PUPILS, if any scene is asked of it."""
    scenes: list[Scene] = []
    for number, pupil in enumerate(PUPILS):
        wanted = count * (number + 1) // len(PUPILS) - len(scenes)
        if not wanted:
            continue
        learned = min(TRAINING_PHOTOGRAPHS, LEARNED_FOR_EACH * count)
        school = drawn_photographs(domain, learned, pupil.rates, pupil.side, generator)
        network = network_for_photographs(pupil, school, int(generator.integers(2**31)))
        for portion in _portions(wanted):
            pictures = drawn_photographs(domain, portion, ASKED, pupil.side, generator)
            scenes += explained(network, pictures, school.images[: BASELINES[domain]], some_way(generator, domain))
    return scenes


def some_way(generator: Generator, domain: Domain) -> Way:
    return Way(
        int(generator.choice(COMPONENTS)),
        float(generator.choice(SHARPENING[domain])),
        float(generator.choice(SUPPORT[domain])),
    )


def _portions(wanted: int) -> list[int]:
    return [len(part) for part in np.array_split(np.arange(wanted), WAYS) if len(part)]
