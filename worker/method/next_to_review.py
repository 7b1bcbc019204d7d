"""Which clusters a person should see next: those whose review is expected to change the most verdicts.

The judge's systematic error is a Gaussian process (see ``consensus``), so what an answer would change is known in
closed form before it is given: at each cluster the field moves by its covariance with the cluster asked about. Kinds
of region that nobody has looked at are where the error is least known, so each gets a look, large kinds first.
"""

from collections.abc import Collection, Mapping

import numpy as np
from scipy.special import ndtr

from worker.method.consensus import REVIEW_NOISE, Indices, Probe, corrected, error_similarity
from worker.method.similarity import Floats

# Candidates are the clusters that reach farthest; more would cost time and change no choice.
CANDIDATES = 600
# Weight of mere knowledge beside verdicts changed: decides where no answer would change any.
CURIOSITY = 1e-3


def next_to_review(found: Probe, reviews: Mapping[int, bool], count: int, not_these: Collection[int] = ()) -> list[int]:
    """At most ``count`` clusters, the most telling first, none reviewed and none of ``not_these``.

    Each further one of a batch is chosen as if the ones before it were answered, so that they are not all alike.
    """
    covariance, leaning = _known(found, reviews)
    taken = {*reviews, *not_these}
    chosen: list[int] = []
    while len(chosen) < count and len(taken) < len(leaning):
        open_ones = np.array([index for index in range(len(leaning)) if index not in taken])
        reach = found.clusters.share @ np.abs(covariance[:, open_ones])
        candidates = open_ones[np.argsort(-reach, kind="stable")[:CANDIDATES]]
        best = int(candidates[_expected_change(found, leaning, covariance, candidates).argmax()])
        chosen.append(best)
        taken.add(best)
        covariance = _answered(covariance, best)
    return chosen


def _known(found: Probe, reviews: Mapping[int, bool]) -> tuple[Floats, Floats]:
    """Covariance of the systematic error given the reviews (N, N), and the leaning (N,)."""
    covariance = error_similarity(found, np.arange(len(found.leaning)))
    for index in sorted(reviews):
        covariance = _answered(covariance, index)
    return covariance, corrected(found, reviews)[0]


def _answered(covariance: Floats, index: int) -> Floats:
    column = covariance[:, index]
    left: Floats = covariance - np.outer(column, column) / (column[index] + REVIEW_NOISE)
    return left


def _expected_change(found: Probe, leaning: Floats, covariance: Floats, candidates: Indices) -> Floats:
    """Evidence whose verdict is expected to change when each candidate is reviewed: (len(candidates),)."""
    share, images = found.clusters.share, found.clusters.images
    variance = covariance[candidates, candidates] + REVIEW_NOISE
    step = covariance[:, candidates] / variance  # what one unit of surprise moves
    # A review says nothing of the other clusters of its own image.
    step[(images[:, None] == images[candidates]) & (np.arange(len(images))[:, None] != candidates)] = 0.0
    spurious = ndtr(leaning[candidates] / np.sqrt(variance))
    expected = CURIOSITY * (share @ np.abs(covariance[:, candidates])) / len(leaning)
    for answer, probability in ((1.0, spurious), (-1.0, 1 - spurious)):
        moved = leaning[:, None] + step * (answer - leaning[candidates])
        expected += probability * (share @ ((moved > 0) != (leaning > 0)[:, None]))
    return expected
