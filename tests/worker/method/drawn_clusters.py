"""Clusters drawn as numbers: three kinds of region in every image, one of them the artefact in some."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.method.similarity import Clusters

# The middle of each kind in six features: artefact, core, background.
KINDS = np.array([[2.0, 2, 0, 0, 1, 0], [-1, 0, 1, 0, 0, 1], [0, -1, -1, 1, -1, 0]])


@dataclass(frozen=True)
class Drawn:
    clusters: Clusters
    truth: npt.NDArray[np.bool_]  # (N,) spurious
    kind: npt.NDArray[np.int64]  # (N,) row of KINDS


def draw(images: int = 60, seed: int = 0, noise: float = 0.7, with_artefact: float = 0.5) -> Drawn:
    """Four clusters an image, two classes; the artefact is one of the four in some images, never in the others."""
    generator = np.random.default_rng(seed)
    image = np.repeat(np.arange(images), 4)
    kind = np.tile([0, 1, 2, 1], images)
    kind[(kind == 0) & (generator.random(len(kind)) > with_artefact)] = 2
    features = KINDS[kind] + noise * generator.standard_normal((len(kind), KINDS.shape[1]))
    clusters = Clusters(image, image % 2, generator.uniform(0.1, 0.5, len(kind)), features)
    return Drawn(clusters, kind == 0, kind)


def words(verdicts: npt.NDArray[np.bool_], wrong: npt.NDArray[np.bool_] | bool = False) -> npt.NDArray[np.float64]:
    """P(spurious) of a judge that is sure of everything and wrong where told."""
    return np.where(verdicts ^ wrong, 0.95, 0.05)


def balanced(verdicts: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    return float((verdicts[truth].mean() + 1 - verdicts[~truth].mean()) / 2)
