"""Whether a difference may be chance: exact tests for few seeds, and bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, rankdata

# A bootstrap interval is drawn this many times; its ends then vary by about a hundredth of its width.
RESAMPLES = 2000
DECIMALS = 9  # of .62 - .67 and .40 - .45, which would else differ


@dataclass(frozen=True)
class Test:
    """A test's statistic and its two-sided p-value."""

    # pytest collects classes of this name unless told not to.
    __test__ = False

    statistic: float
    p: float


def wilcoxon(before: Sequence[float], after: Sequence[float]) -> Test:
    """Exact Wilcoxon signed-rank test of paired values, two-sided (Wilcoxon 1945).

    Pairs without a difference are dropped and equal differences share their mean rank, equal up to what floats make of
    them; the distribution is counted over all 2^n signs of those very ranks. The statistic is the smaller of the two
    rank sums. Raises ValueError when the lengths differ.
    """
    rounded = [round(b - a, DECIMALS) for a, b in zip(before, after, strict=True)]
    differences = [each for each in rounded if each]
    if not differences:
        return Test(0.0, 1.0)
    # Mean ranks are multiples of one half, so twice a rank is a whole number that can be counted with.
    doubled = np.rint(2 * rankdata(np.abs(differences))).astype(int)
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] = ways[rank:] + ways[: len(ways) - rank]
    positive = int(doubled[np.array(differences) > 0].sum())
    smaller = min(positive, int(doubled.sum()) - positive)
    p = min(1.0, 2 * float(ways[: smaller + 1].sum()) / 2.0 ** len(doubled))
    return Test(smaller / 2, p)


def mcnemar(before_correct: Sequence[bool], after_correct: Sequence[bool]) -> Test:
    """Exact McNemar test of two models on the same images, two-sided (McNemar 1947).

    The statistic is the number of images that only the second model gets right, minus those only the first does.
    Raises ValueError when the lengths differ.
    """
    pairs = list(zip(before_correct, after_correct, strict=True))
    gained = sum(1 for before, after in pairs if after and not before)
    lost = sum(1 for before, after in pairs if before and not after)
    if gained + lost == 0:
        return Test(0.0, 1.0)
    return Test(float(gained - lost), float(binomtest(gained, gained + lost).pvalue))


def bootstrap(values: npt.ArrayLike, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron 1979). With a single value both ends are that value.

    Raises ValueError when there are no values.
    """
    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        raise ValueError("An interval needs at least one value.")
    generator = np.random.default_rng(seed)
    means = [generator.choice(sample, sample.size).mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
