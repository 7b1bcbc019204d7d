from itertools import product
from statistics import mean

import numpy as np
import pytest
from scipy import stats

from worker.method.significance import bootstrap, mcnemar, wilcoxon


def slow_wilcoxon(before: list[float], after: list[float]) -> float:
    """Enumerate every assignment of signs to the mean ranks of the differences."""
    differences = [b - a for a, b in zip(before, after, strict=True) if a != b]
    sizes = sorted(abs(d) for d in differences)
    ranks = [mean(i + 1 for i, size in enumerate(sizes) if size == abs(d)) for d in differences]
    positive = sum(rank for rank, d in zip(ranks, differences, strict=True) if d > 0)
    smaller = min(positive, sum(ranks) - positive)
    sums = [sum(r for r, up in zip(ranks, signs, strict=True) if up) for signs in product((0, 1), repeat=len(ranks))]
    return min(1.0, 2 * sum(s <= smaller for s in sums) / len(sums))


@pytest.mark.parametrize("seed", range(6))
def test_wilcoxon_equals_the_enumeration_of_all_signs_with_ties_and_zeros(seed: int) -> None:
    generator = np.random.default_rng(seed)
    before = generator.integers(0, 5, 9).astype(float).tolist()
    after = generator.integers(0, 7, 9).astype(float).tolist()
    assert wilcoxon(before, after).p == pytest.approx(slow_wilcoxon(before, after))


def test_what_only_floats_tell_apart_is_equal() -> None:
    before, after = [0.54, 0.32, 0.53, 0.49, 0.28, 0.49], [0.45, 0.41, 0.42, 0.51, 0.39, 0.43]
    hundredths = [round(100 * each) for each in before], [round(100 * each) for each in after]
    assert wilcoxon(before, after) == wilcoxon(*hundredths)
    assert wilcoxon([0.1 + 0.2], [0.3]).p == 1


def test_wilcoxon_agrees_with_scipy_where_there_are_no_ties() -> None:
    generator = np.random.default_rng(0)
    before, after = generator.normal(size=14), generator.normal(0.7, 1, 14)
    theirs = stats.wilcoxon(after, before, method="exact")
    ours = wilcoxon(before.tolist(), after.tolist())
    assert ours.statistic == pytest.approx(theirs.statistic)
    assert ours.p == pytest.approx(theirs.pvalue)


def test_seven_seeds_that_all_improve_are_significant_and_no_difference_is_not() -> None:
    assert wilcoxon([0.5] * 7, [0.6, 0.61, 0.62, 0.63, 0.64, 0.65, 0.66]).p == pytest.approx(2 / 2**7)
    assert wilcoxon([0.5, 0.6], [0.5, 0.6]).p == 1


def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_pairs() -> None:
    before = [True] * 10 + [False] * 8 + [True] * 2
    after = [True] * 10 + [True] * 8 + [False] * 2
    found = mcnemar(before, after)
    assert found.statistic == 6
    # P(at most 2 of 10 coins show heads), both sides: 2 (1 + 10 + 45) / 1024.
    assert found.p == pytest.approx(2 * 56 / 1024)
    assert mcnemar(before, before).p == 1


def test_pairs_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        wilcoxon([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="zip"):
        mcnemar([True], [])


def test_the_bootstrap_interval_of_a_mean_is_about_two_standard_errors_and_repeats() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    low, high = bootstrap(values, seed=1)
    assert (low, high) == bootstrap(values, seed=1)
    error = values.std() / 20
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    assert low < values.mean() < high


def test_one_value_has_no_interval_and_none_is_an_error() -> None:
    assert bootstrap([0.4], seed=0) == (0.4, 0.4)
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap([], seed=0)
