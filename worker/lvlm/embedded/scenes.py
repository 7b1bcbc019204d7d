"""Pictures with an artefact, and the clusters that small networks really base their decisions on.

The embedded LVLM learns on these. The clusters are no drawn blobs: networks are trained on the pictures, their
decisions attributed and clustered by the product's own stages, so that the LVLM meets in training what it meets in use.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from worker.lvlm.embedded.language import Domain
from worker.method.attribution import attribute
from worker.method.clustering import cluster, evidence

DOMAINS: tuple[Domain, ...] = get_args(Domain)
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures of one domain, and where on them is the artefact and where what the class is told by."""

    domain: Domain
    images: Bytes  # (N, H, W) grey or (N, H, W, 3)
    labels: Ints  # (N,)
    artefact: Bools  # (N, H, W)
    core: Bools  # (N, H, W), apart from the artefact


@dataclass(frozen=True)
class Scene:
    """One picture, its clusters, and where the positive evidence of each cluster lies (shares of at most 1 in all)."""

    domain: Domain
    image: Bytes  # (H, W) or (H, W, 3)
    label: int
    assignment: npt.NDArray[np.int8]  # (H, W), 0..J-1 or -1
    artefact_pixels: Bools  # (H, W)
    core_pixels: Bools  # (H, W)
    artefact: tuple[float, ...]  # (J,) share on the artefact
    core: tuple[float, ...]  # (J,) share on what the class is told by


@dataclass(frozen=True)
class Way:
    """How explanations are clustered."""

    components: int
    sharpening: float
    support: float


def as_input(images: Bytes) -> Tensor:
    """(N, H, W) or (N, H, W, 3) bytes -> (N, C, H, W) in [0, 1]."""
    pixels = torch.from_numpy(images).float().div(255)
    return pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()  # noqa: PLR2004 - grey


def explained(network: nn.Module, pictures: Pictures, baselines: Bytes, way: Way) -> list[Scene]:
    """Attribute and cluster the network's decision on each picture, as the product does."""
    inputs, labels = as_input(pictures.images), torch.from_numpy(pictures.labels)
    attribution = attribute(network, inputs, labels, as_input(baselines), "deeplift_shap")
    assignment = cluster(attribution, way.components, way.sharpening, way.support).assignment.numpy()
    weights = evidence(attribution, way.sharpening).numpy()
    return [scene_of(pictures, index, assignment[index], weights[index]) for index in range(len(pictures.images))]


def scene_of(
    pictures: Pictures, index: int, assignment: npt.NDArray[np.int8], weights: npt.NDArray[np.float32]
) -> Scene:
    """assignment, weights: (H, W) of that picture, the weights its positive evidence."""
    artefact, core = pictures.artefact[index], pictures.core[index]
    own = [np.where(assignment == number, weights, 0) for number in range(int(assignment.max()) + 1)]
    total = [max(float(part.sum()), 1e-12) for part in own]
    return Scene(
        domain=pictures.domain,
        image=pictures.images[index],
        label=int(pictures.labels[index]),
        assignment=assignment,
        artefact_pixels=artefact,
        core_pixels=core,
        artefact=tuple(float(part[artefact].sum()) / whole for part, whole in zip(own, total, strict=True)),
        core=tuple(float(part[core].sum()) / whole for part, whole in zip(own, total, strict=True)),
    )


# Clusters on the artefact are rare, and their numbers say nothing: the same scene with others is another.
COPIES = 3
# In this share of the scenes two clusters become one: mixed evidence is rare, and the LVLM should see it.
MERGED = 0.08


def varied(scenes: Sequence[Scene], generator: np.random.Generator) -> list[Scene]:
    """The scenes, a few with two clusters joined, those with a cluster on the artefact in several numberings."""
    joined = [_merged(scene, generator) if generator.random() < MERGED else scene for scene in scenes]
    return [_renumbered(scene, generator) for scene in joined for _ in range(COPIES if on_the_artefact(scene) else 1)]


def on_the_artefact(scene: Scene) -> bool:
    """Whether one of the clusters lies mostly on the artefact."""
    return max(scene.artefact, default=0.0) > 1 / 2


def beside(pixels: Bools) -> Bools:
    """(H, W): the pixels and those next to them."""
    padded = np.pad(pixels, 1)
    shifts = [padded[1:-1, 1:-1], padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    near: Bools = np.logical_or.reduce(shifts)
    return near


def mirrored(scene: Scene) -> Scene:
    """The scene with left and right exchanged: twice the places for the price of one."""
    return replace(
        scene,
        image=np.ascontiguousarray(scene.image[:, ::-1]),
        assignment=np.ascontiguousarray(scene.assignment[:, ::-1]),
        artefact_pixels=np.ascontiguousarray(scene.artefact_pixels[:, ::-1]),
        core_pixels=np.ascontiguousarray(scene.core_pixels[:, ::-1]),
    )


def _renumbered(scene: Scene, generator: np.random.Generator) -> Scene:
    """The same clusters in another order."""
    order = generator.permutation(len(scene.artefact))
    assignment = np.append(np.argsort(order), -1).astype(np.int8)[scene.assignment]
    artefact, core = (tuple(shares[index] for index in order) for shares in (scene.artefact, scene.core))
    return replace(scene, assignment=assignment, artefact=artefact, core=core)


def _merged(scene: Scene, generator: np.random.Generator) -> Scene:
    """Join the cluster with the most evidence on the artefact to another one, half and half."""
    if len(scene.artefact) < 2:  # noqa: PLR2004 - a pair
        return scene
    first = int(np.argmax(scene.artefact))
    other = int(generator.choice([number for number in range(len(scene.artefact)) if number != first]))
    assignment = scene.assignment.copy()
    assignment[assignment == other] = first
    pixels = [max(1, int((scene.assignment == number).sum())) for number in (first, other)]
    weight = pixels[0] / sum(pixels)
    artefact, core = (
        tuple(
            weight * values[first] + (1 - weight) * values[other] if number == first else value
            for number, value in enumerate(values)
        )
        for values in (scene.artefact, scene.core)
    )
    return replace(scene, assignment=assignment, artefact=artefact, core=core)
