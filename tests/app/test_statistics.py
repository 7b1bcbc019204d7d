from itertools import product

import pytest

from app.statistics import mcnemar, wilson


def test_wilson_matches_the_published_example() -> None:
    # Newcombe 1998, table I: 81 of 263.
    found = wilson(81, 263)
    assert (found.low, found.high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))


def test_wilson_of_nothing_says_so() -> None:
    found = wilson(0, 0)
    assert found.value is None
    assert found.missing


def test_wilson_stays_between_nothing_and_everything() -> None:
    assert wilson(0, 5).low == 0
    assert wilson(5, 5).high == 1


@pytest.mark.parametrize(("right", "wrong"), [(0, 0), (1, 0), (5, 1), (3, 3), (0, 6)])
def test_mcnemar_counts_all_outcomes_at_least_as_extreme(right: int, wrong: int) -> None:
    n = right + wrong
    outcomes = [sum(coins) for coins in product((0, 1), repeat=n)]
    extreme = sum(abs(heads - n / 2) >= abs(right - n / 2) for heads in outcomes)
    assert mcnemar(right, wrong) == pytest.approx(extreme / len(outcomes))
