"""How alike the clusters of a run are, and which kinds of region there are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

# A network's activations are turned to this many directions, those in which the run's clusters differ most.
DIRECTIONS = 24
# Standardised numbers are cut off here, so that one odd cluster is not unlike everything.
FARTHEST = 3.0
# A column that varies less than this is rounding.
LEAST_DEVIATION = 1e-6

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Clusters:
    """N clusters of one run.

    images:      (N,) which image each is of.
    classes:     (N,) that image's label.
    share:       (N,) of the image's positive evidence.
    features:    (N, F) as ``cluster_features`` gives them.
    activations: (N, E) of a network that saw each cluster's crop, or None.
    """

    images: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    share: Floats
    features: npt.NDArray[np.floating]
    activations: npt.NDArray[np.floating] | None = None

    def __len__(self) -> int:
        return len(self.images)


def similarities(clusters: Clusters) -> Floats:
    """(N, N), 1 for clusters that look the same, towards 0 for those that have nothing in common.

    Features count one by one (a mean of exponential kernels: what agrees in most counts as similar), activations as a
    whole (a Gaussian kernel), and both together: the mean of the two kernels and of their product.
    Takes N^2 numbers and F N^2 operations.
    """
    one_by_one = _one_by_one(standardised(clusters.features))
    if clusters.activations is None:
        return one_by_one
    whole = _gaussian(directions(clusters.activations))
    return (one_by_one + whole + one_by_one * whole) / 3


def same_class(classes: npt.NDArray[np.int64], part: float) -> Floats:
    """(N, N): 1 within a class, 1 - part across classes."""
    return np.where(classes[:, None] == classes, 1.0, 1.0 - part)


def kinds(clusters: Clusters, count: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Which of at most ``count`` kinds of region each cluster is of: (N,), by k-means; no more kinds than clusters."""
    features = standardised(clusters.features)
    places = [features / np.sqrt(max(1, features.shape[1]))]
    if clusters.activations is not None:
        found = directions(clusters.activations)
        places.append(found / np.sqrt(max(1, found.shape[1])))
    if not sum(part.shape[1] for part in places):  # nothing tells one from another, as where there is but one
        return np.zeros(len(clusters), dtype=np.int64)
    _, kind = kmeans2(np.hstack(places), min(count, len(clusters)), minit="++", seed=np.random.default_rng(seed))
    return np.unique(kind, return_inverse=True)[1].astype(np.int64)


def standardised(columns: npt.NDArray[np.floating]) -> Floats:
    """Mean 0, deviation 1, at most ``FARTHEST`` away; columns that do not vary are left out."""
    values = columns.astype(np.float64)
    deviation = values.std(axis=0)
    varies = deviation > LEAST_DEVIATION
    scaled: Floats = (values[:, varies] - values[:, varies].mean(axis=0)) / deviation[varies]
    return scaled.clip(-FARTHEST, FARTHEST)


def directions(activations: npt.NDArray[np.floating]) -> Floats:
    """The principal components of the standardised activations, (N, at most DIRECTIONS), of mean variance 1.

    (N, 0) where nothing varies.
    """
    values = standardised(activations)
    if not values.shape[1]:
        return values
    values -= values.mean(axis=0)
    left, size, _ = np.linalg.svd(values, full_matrices=False)
    scores: Floats = (left * size)[:, :DIRECTIONS]
    scores /= max(float(scores.std()), LEAST_DEVIATION)
    return scores


def _one_by_one(values: Floats) -> Floats:
    total = np.zeros((len(values), len(values)))
    for column in values.T:
        total += np.exp(-np.abs(column[:, None] - column))
    return total / max(1, values.shape[1]) if values.shape[1] else np.ones_like(total)


def _gaussian(values: Floats) -> Floats:
    lengths = np.square(values).sum(axis=1)
    squared = np.clip(lengths[:, None] + lengths - 2 * values @ values.T, 0, None)
    likeness: Floats = np.exp(-squared / (2 * max(1, values.shape[1])))
    return likeness
