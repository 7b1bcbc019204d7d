"""Cohen's and Fleiss' kappa and Krippendorff's alpha with their bootstrap intervals, counted while a page waits.

They are the figures of ``worker.method.agreement``, which the web server can't import: the tests hold the two equal,
and there it is written how far the intervals hold. Where one of the figures is missing, ``missing`` says why.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from app.models.figures import Estimate
from app.statistics import wilson

RESAMPLES = 2000
MIN_RARE = 5  # with fewer cases that got anything but the commonest answer an interval ends below the truth
NO_PAIR = "no case was called spurious or relevant by both"
NOT_BY_ALL = "no case was called spurious or relevant by all of them"
ONE_CATEGORY = "all were called the same, so chance alone would agree as well"
TOO_RARE = "no interval: nearly all cases got one answer"
NO_SPREAD = "no interval: drawing the cases anew never changes it"

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
# Times each distinct case was drawn, (R, U) -> observed and expected disagreement, (R,) each.
Disagreement = Callable[[Counts], tuple[Floats, Floats]]


def cohens_kappa(pairs: Sequence[tuple[str, str]], seed: int = 0) -> Estimate:
    """Agreement of two raters beyond chance (Cohen 1960). pairs: what each of them called a case."""
    names, categories = np.unique(np.array(pairs, dtype=np.str_), return_inverse=True)
    distinct, times = np.unique(categories.reshape(-1, 2), axis=0, return_counts=True)  # (U, 2), (U,)
    answers = np.eye(len(names), dtype=np.int64)[distinct]  # (U, 2, K)

    def disagreement(drawn: Counts) -> tuple[Floats, Floats]:
        by_chance = ((drawn @ answers[:, 0]) * (drawn @ answers[:, 1])).sum(axis=1)
        n = drawn.sum(axis=1)
        return drawn @ (distinct[:, 0] != distinct[:, 1]) / n, 1 - by_chance / n**2

    return beyond_chance(disagreement, answers.sum(axis=1), times, seed)


def fleiss_kappa(cases: Sequence[Sequence[str]], seed: int = 0) -> Estimate:
    """Agreement of several raters beyond chance, each of whom has rated every case (Fleiss 1971).

    cases: what all of the raters, at least two and as many for each case, called a case.
    """
    if not cases:
        return Estimate(missing=NOT_BY_ALL)
    names, categories = np.unique(np.array(cases, np.str_), return_inverse=True)
    table = np.eye(len(names), dtype=np.int64)[categories.reshape(len(cases), -1)].sum(axis=1)  # (n, K)
    distinct, times = np.unique(table, axis=0, return_counts=True)  # (U, K), (U,)
    raters = len(cases[0])
    differing = (raters**2 - (distinct**2).sum(axis=1)) / (raters * (raters - 1))

    def disagreement(drawn: Counts) -> tuple[Floats, Floats]:
        totals = drawn @ distinct  # (R, K)
        return drawn @ differing / drawn.sum(axis=1), 1 - (totals**2).sum(axis=1) / totals.sum(axis=1) ** 2

    return beyond_chance(disagreement, distinct, times, seed)


def krippendorffs_alpha(cases: Sequence[Sequence[str]], seed: int = 0) -> Estimate:
    """Agreement of any raters beyond chance, each having rated some cases only (Krippendorff 2011, nominal data).

    cases: what a case was called by those who rated it; a case with one rating says nothing.
    """
    paired = [given for given in cases if len(given) > 1]
    names, categories = np.unique(np.array([each for given in paired for each in given], np.str_), return_inverse=True)
    table = np.zeros((len(paired), len(names)), dtype=np.int64)
    np.add.at(table, (np.repeat(np.arange(len(paired)), [len(given) for given in paired]), categories), 1)
    distinct, times = np.unique(table, axis=0, return_counts=True)  # (U, K), (U,)
    sizes = distinct.sum(axis=1)
    differing = (sizes**2 - (distinct**2).sum(axis=1)) / (sizes - 1)

    def disagreement(drawn: Counts) -> tuple[Floats, Floats]:
        totals = drawn @ distinct  # (R, K)
        whole = totals.sum(axis=1)
        return drawn @ differing / whole, (whole**2 - (totals**2).sum(axis=1)) / (whole * (whole - 1))

    return beyond_chance(disagreement, distinct, times, seed)


def beyond_chance(disagreement: Disagreement, cases: Counts, times: Counts, seed: int) -> Estimate:
    """1 - observed / expected disagreement, with its percentile bootstrap interval over cases (Efron 1979).

    cases: (U, K), the ratings of each distinct case by category; times: (U,), how often it occurs.
    """
    n = int(times.sum())
    if n == 0:
        return Estimate(missing=NO_PAIR)
    observed, expected = (float(share[0]) for share in disagreement(times[None, :]))
    if expected == 0:
        return Estimate(n=n, missing=ONE_CATEGORY)
    value = 1 - observed / expected
    if observed == 0:  # no draw would disagree either: the share of cases that do is held to be at most Wilson's limit
        return Estimate(value=value, low=max(-1.0, 1 - (wilson(0, n).high or 0.0) / expected), high=value, n=n)
    unanimous = times @ (cases == cases.sum(axis=1, keepdims=True))  # (K,)
    if n - unanimous.max() < MIN_RARE:
        return Estimate(value=value, n=n, missing=TOO_RARE)
    differing, by_chance = disagreement(np.random.default_rng(seed).multinomial(n, times / n, RESAMPLES))
    values = 1 - differing[by_chance > 0] / by_chance[by_chance > 0]
    if np.allclose(values, values[0]):
        return Estimate(value=value, n=n, missing=NO_SPREAD)
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(value=value, low=float(low), high=float(high), n=n)
