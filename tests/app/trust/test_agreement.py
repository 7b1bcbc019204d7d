"""The figures of a page are those of the method."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.figures import Estimate
from app.statistics import wilson
from app.trust import agreement
from app.trust.agreement import cohens_kappa, fleiss_kappa, krippendorffs_alpha
from worker.method import agreement as method

words = st.sampled_from(["spurious", "relevant", "can't tell"])
quick = settings(max_examples=100, deadline=None)
REASONS = {
    "": "",
    method.NO_PAIR: agreement.NO_PAIR,
    method.ONE_CATEGORY: agreement.ONE_CATEGORY,
    method.TOO_RARE: agreement.TOO_RARE,
    method.NO_SPREAD: agreement.NO_SPREAD,
}


def same(found: Estimate, expected: method.Agreement) -> bool:
    assert found.missing == REASONS[expected.missing]
    assert found.n == expected.n
    figures = [(found.value, expected.value), (found.low, expected.low), (found.high, expected.high)]
    return all((a is None) == (b is None) and (a is None or a == pytest.approx(b, abs=1e-12)) for a, b in figures)


@quick
@given(st.lists(st.tuples(words, words), max_size=60), st.integers(0, 5))
def test_cohens_kappa_is_that_of_the_method(pairs: list[tuple[str, str]], seed: int) -> None:
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    assert same(cohens_kappa(pairs, seed), method.cohens_kappa(first, second, seed))


@quick
@given(st.lists(st.lists(words, max_size=4), max_size=40), st.integers(0, 5))
def test_krippendorffs_alpha_is_that_of_the_method(cases: list[list[str]], seed: int) -> None:
    assert same(krippendorffs_alpha(cases, seed), method.krippendorffs_alpha(cases, seed))


@quick
@given(
    st.integers(2, 5).flatmap(lambda raters: st.lists(st.lists(words, min_size=raters, max_size=raters), min_size=1)),
    st.integers(0, 5),
)
def test_fleiss_kappa_is_that_of_the_method(cases: list[list[str]], seed: int) -> None:
    names = sorted({each for case in cases for each in case})
    counts = [[case.count(name) for name in names] for case in cases]
    assert same(fleiss_kappa(cases, seed), method.fleiss_kappa(counts, seed))


def test_fleiss_kappa_of_no_case_says_why() -> None:
    assert fleiss_kappa([]) == Estimate(missing=agreement.NOT_BY_ALL)


def test_kappa_of_two_readers_is_counted_by_hand() -> None:
    # 20 alike of 30: observed 2/3; each says spurious in half the cases, so chance brings 1/2, and kappa is 1/3.
    pairs = 10 * [("s", "s")] + 10 * [("r", "r")] + 5 * [("s", "r")] + 5 * [("r", "s")]
    found = cohens_kappa(pairs)
    assert found.value == pytest.approx(1 / 3)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1 / 3 < found.high


def test_the_number_of_draws_and_the_rare_cases_are_those_of_the_method() -> None:
    from worker.method.significance import RESAMPLES

    assert (agreement.RESAMPLES, agreement.MIN_RARE) == (RESAMPLES, method.MIN_RARE)
    assert wilson(0, 7).high == pytest.approx(method.specificity([True] * 7, [False] * 7).high)
