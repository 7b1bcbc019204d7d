from collections.abc import Callable
from itertools import permutations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score, recall_score
from statsmodels.stats import inter_rater
from statsmodels.stats.proportion import proportion_confint

from worker.method import agreement
from worker.method.agreement import (
    Agreement,
    cohens_kappa,
    fleiss_kappa,
    krippendorffs_alpha,
    sensitivity,
    specificity,
)

# Fleiss (1971), as in R's package irr: thirty patients, six psychiatrists, five diagnoses; a word is one patient.
PATIENTS = """444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445
333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555"""
# Ten cases, fourteen raters, five categories: the example of Wikipedia's page on Fleiss' kappa.
FOURTEEN = """0,0,0,0,14 0,2,6,4,2 0,0,3,5,6 0,3,9,2,0 2,2,8,1,1 7,7,0,0,0 3,2,6,3,0 2,5,3,2,2 6,5,2,1,0
0,2,2,3,7"""
# Krippendorff (2011), section C: four observers, twelve units, a dot where one gave no value.
OBSERVERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")

two_raters = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)
yes_or_no = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40)
three_raters = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=30)
four_with_gaps = st.lists(st.tuples(*[st.one_of(st.none(), st.integers(0, 3))] * 4), min_size=1, max_size=30)
quick = settings(max_examples=150, deadline=None)


def counted(rows: list[tuple[int, ...]], categories: int) -> list[list[int]]:
    return [[row.count(category) for category in range(categories)] for row in rows]


def slow_alpha(units: list[tuple[int | None, ...]]) -> float:
    """Krippendorff (2011), steps B to D, pair by pair: a coincidence matrix, then its off-diagonal against chance."""
    coincidences: dict[tuple[int, int], float] = {}
    for unit in units:
        present = [rating for rating in unit if rating is not None]
        for pair in permutations(present, 2):
            coincidences[pair] = coincidences.get(pair, 0) + 1 / (len(present) - 1)
    totals: dict[int, float] = {}
    for (one, _), count in coincidences.items():
        totals[one] = totals.get(one, 0) + count
    n = sum(totals.values())
    observed = sum(count for (one, other), count in coincidences.items() if one != other)
    expected = sum(totals[one] * totals[other] for one, other in permutations(totals, 2))
    return 1 - (n - 1) * observed / expected


@quick
@given(yes_or_no)
def test_sensitivity_and_specificity_are_the_recalls_with_wilson_intervals(answers):
    judged, reference = [a for a, _ in answers], [b for _, b in answers]
    for function, positive in ((sensitivity, True), (specificity, False)):
        found, n = function(judged, reference), reference.count(positive)
        assert found.n == n
        if n:
            hits = sum(a == b == positive for a, b in answers)
            assert found.value == pytest.approx(recall_score(reference, judged, pos_label=positive))
            assert (found.low, found.high) == pytest.approx(proportion_confint(hits, n, method="wilson"))


def test_newcombes_example_of_wilsons_interval_holds_for_a_sensitivity():
    # Newcombe (1998): 81 of 263 has the score interval 0.2553 to 0.3662. Negatives say nothing here.
    found = sensitivity([True] * 81 + [False] * 182 + [True] * 50, [True] * 263 + [False] * 50)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert found.n == 263


@quick
@given(two_raters)
def test_cohens_kappa_equals_scikit_learns(ratings):
    assume(len({category for pair in ratings for category in pair}) > 1)
    first, second = [a for a, _ in ratings], [b for _, b in ratings]
    assert cohens_kappa(first, second, seed=0).value == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


@quick
@given(three_raters)
def test_fleiss_kappa_equals_statsmodels(ratings):
    assume(len({category for row in ratings for category in row}) > 1)
    counts = counted(ratings, 3)
    assert fleiss_kappa(counts, seed=0).value == pytest.approx(inter_rater.fleiss_kappa(counts), abs=1e-12)


@quick
@given(four_with_gaps)
def test_krippendorffs_alpha_equals_the_package_of_that_name_and_the_paper_pair_by_pair(units):
    paired = [[rating for rating in unit if rating is not None] for unit in units]
    paired = [unit for unit in paired if len(unit) > 1]
    assume(len({rating for unit in paired for rating in unit}) > 1)
    found = krippendorffs_alpha(units, seed=0)
    by_rater = np.array(units, dtype=float).T  # None becomes NaN, which the package reads as missing.
    theirs = krippendorff.alpha(reliability_data=by_rater, level_of_measurement="nominal")
    assert found.value == pytest.approx(theirs, abs=1e-12)
    assert found.value == pytest.approx(slow_alpha(units), abs=1e-12)
    assert found.n == len(paired)


def test_cohens_own_example_has_a_kappa_of_point_492():
    # Cohen (1960): his table of two judges, as counts of 200.
    table = {"AA": 88, "AB": 14, "AC": 18, "BA": 10, "BB": 40, "BC": 10, "CA": 2, "CB": 6, "CC": 12}
    pairs = [pair for pair, times in table.items() for _ in range(times)]
    found = cohens_kappa([pair[0] for pair in pairs], [pair[1] for pair in pairs], seed=0)
    assert found.value == pytest.approx(0.492, abs=5e-4)
    assert found.n == 200


def test_the_psychiatrists_of_fleiss_agree_at_point_430():
    found = fleiss_kappa([[patient.count(diagnosis) for diagnosis in "12345"] for patient in PATIENTS.split()], seed=0)
    # 0.430 in the paper, 0.4302445 from kappam.fleiss in R.
    assert found.value == pytest.approx(0.4302445, abs=5e-8)
    assert found.n == 30


def test_fourteen_raters_agree_at_point_210():
    found = fleiss_kappa([[int(count) for count in row.split(",")] for row in FOURTEEN.split()], seed=0)
    assert found.value == pytest.approx(0.210, abs=5e-4)


def test_krippendorffs_example_with_missing_values_has_an_alpha_of_point_743():
    units = [[None if rating == "." else rating for rating in unit] for unit in zip(*OBSERVERS, strict=True)]
    found = krippendorffs_alpha(units, seed=0)
    assert found.value == pytest.approx(0.743, abs=5e-4)
    assert found.n == 11  # The last unit has one rating, which nothing can be compared with.


def test_krippendorffs_binary_and_nominal_examples_with_two_observers():
    # Krippendorff (2011), sections A and B.
    assert krippendorffs_alpha(list(zip("0100000010", "1110010000", strict=True)), seed=0).value == pytest.approx(
        0.095, abs=5e-4
    )
    assert krippendorffs_alpha(list(zip("aabbdcccedda", "babbbccceddd", strict=True)), seed=0).value == pytest.approx(
        0.692, abs=5e-4
    )


@pytest.mark.parametrize(
    ("found", "n", "why"),
    [
        (sensitivity([True, False], [False, False]), 0, agreement.NO_POSITIVE),
        (specificity([True, False], [True, True]), 0, agreement.NO_NEGATIVE),
        (sensitivity([], []), 0, agreement.NO_POSITIVE),
        (cohens_kappa([], [], seed=0), 0, agreement.NO_PAIR),
        (cohens_kappa(["a"] * 9, ["a"] * 9, seed=0), 9, agreement.ONE_CATEGORY),
        (fleiss_kappa([], seed=0), 0, agreement.NO_PAIR),
        (fleiss_kappa([[0, 3]] * 5, seed=0), 5, agreement.ONE_CATEGORY),
        (krippendorffs_alpha([], seed=0), 0, agreement.NO_PAIR),
        (krippendorffs_alpha([["a", None], [], [None, "b"]], seed=0), 0, agreement.NO_PAIR),
        (krippendorffs_alpha([["a", "a"], ["a", None, "a"], ["b"]], seed=0), 2, agreement.ONE_CATEGORY),
    ],
)
def test_a_figure_that_cannot_be_computed_says_why(found, n, why):
    assert found == Agreement(None, None, None, n, why)
    assert why


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (cohens_kappa(["a", "b"] * 10, ["a"] * 20, seed=0), 0),
        (cohens_kappa(["a"] * 5, ["b"] * 5, seed=0), 0),
        (fleiss_kappa([[2, 1]] * 7, seed=0), -0.5),
    ],
)
def test_a_figure_that_cannot_vary_has_a_value_but_no_interval_and_says_why(found, value):
    assert found.value == pytest.approx(value)
    assert (found.low, found.high, found.missing) == (None, None, agreement.NO_SPREAD)


def test_there_is_no_interval_where_almost_every_case_has_the_same_answer():
    """Two lone positives that two readers never see alike would give an interval that ends at 0, whatever is true."""
    for lone, why in ((2, agreement.TOO_RARE), (4, agreement.TOO_RARE), (5, ""), (9, "")):
        first, second = [0] * 35 + [1] * lone, [0] * 35 + [0, *[1] * (lone - 1)]
        for found in (
            cohens_kappa(first, second, seed=0),
            fleiss_kappa(counted(list(zip(first, second, strict=True)), 2), seed=0),
            krippendorffs_alpha(list(zip(first, second, strict=True)), seed=0),
        ):
            assert found.missing == why
            assert found.value is not None
            assert (found.low is None) == (found.high is None) == bool(why)
    assert krippendorffs_alpha([["a", "b"]], seed=0) == Agreement(0.0, None, None, 1, agreement.TOO_RARE)


def test_raters_who_never_disagree_keep_an_interval_that_narrows_with_their_number():
    lows = []
    for n in (3, 10, 100, 1000):
        answers = ["spurious", "relevant"] + ["relevant", "spurious", "relevant"] * n
        found = cohens_kappa(answers, answers, seed=0)
        assert (found.value, found.high, found.missing) == (1, 1, "")
        assert krippendorffs_alpha(list(zip(answers, answers, strict=True)), seed=0).value == 1
        lows.append(found.low)
    assert lows == sorted(lows)
    assert lows[0] < 0.5
    assert lows[-1] > 0.99


def test_perfect_agreement_of_two_on_half_and_half_has_wilsons_limit_by_hand():
    # No disagreement in 20: Wilson's upper limit is z^2 / (20 + z^2) = 0.1611; chance would disagree in one half.
    answers = [0, 1] * 10
    assert cohens_kappa(answers, answers, seed=0).low == pytest.approx(1 - 0.1611 / 0.5, abs=2e-4)
    assert fleiss_kappa([[3, 0], [0, 3]] * 10, seed=0).low == pytest.approx(1 - 0.1611 / 0.5, abs=2e-4)


def test_the_interval_is_that_of_drawing_the_cases_one_by_one():
    generator = np.random.default_rng(3)
    first = generator.integers(0, 3, 80)
    second = np.where(generator.random(80) < 0.3, generator.integers(0, 3, 80), first)
    reference = stats.bootstrap(
        (first, second), cohen_kappa_score, paired=True, vectorized=False, n_resamples=800, method="percentile", rng=1
    ).confidence_interval
    found = cohens_kappa(first.tolist(), second.tolist(), seed=0)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=0.025)


def test_draws_of_units_of_different_size_are_those_of_the_units_one_by_one():
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 2, 40)
    units = [tuple(int(t ^ (generator.random() < 0.2)) for _ in range(generator.integers(2, 6))) for t in truth]
    draws = [slow_alpha([units[i] for i in generator.integers(0, 40, 40)]) for _ in range(1500)]
    found = krippendorffs_alpha(units, seed=0)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.03)


def two_in_cohens_kappa(ratings: np.ndarray, seed: int) -> Agreement:
    return cohens_kappa(ratings[:, 0].tolist(), ratings[:, 1].tolist(), seed)


def all_in_fleiss_kappa(ratings: np.ndarray, seed: int) -> Agreement:
    return fleiss_kappa(counted([tuple(row) for row in ratings.tolist()], 2), seed)


def all_but_every_fifth_in_alpha(ratings: np.ndarray, seed: int) -> Agreement:
    rows = enumerate(ratings.tolist())
    return krippendorffs_alpha([row[1:] if number % 5 == 0 else row for number, row in rows], seed)


@pytest.mark.parametrize(
    "agreement_of", [two_in_cohens_kappa, all_in_fleiss_kappa, all_but_every_fifth_in_alpha], ids=lambda f: f.__name__
)
@pytest.mark.parametrize(("n", "share", "error", "most"), [(60, 0.4, 0.15, 0.98), (30, 0.5, 0.01, 1.0)])
def test_the_interval_holds_the_true_agreement_of_simulated_raters_as_often_as_it_says(
    agreement_of: Callable[[np.ndarray, int], Agreement], n, share, error, most
):
    """A rater who errs in ``error`` of the cases, independently, agrees with another like this one by arithmetic.

    Where errors are rare most studies hold none: an interval from 1 to 1 would miss the truth in most of them.
    """
    generator, studies = np.random.default_rng(11), 400
    positive = share * (1 - error) + (1 - share) * error
    truth = 1 - 2 * error * (1 - error) / (2 * positive * (1 - positive))
    held = 0
    for seed in range(studies):
        right = generator.random((n, 1)) < share
        found = agreement_of((right ^ (generator.random((n, 3)) < error)).astype(int), seed)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert 0.91 <= held / studies <= most


@settings(max_examples=40, deadline=None)
@given(four_with_gaps, st.randoms())
def test_the_order_of_cases_and_of_ratings_changes_nothing(units, random):
    shuffled = [tuple(random.sample(unit, len(unit))) for unit in random.sample(units, len(units))]
    assert krippendorffs_alpha(shuffled, seed=4) == krippendorffs_alpha(units, seed=4)


@settings(max_examples=40, deadline=None)
@given(two_raters, st.randoms())
def test_the_order_of_cases_the_names_of_categories_and_who_is_first_do_not_change_a_kappa(ratings, random):
    first, second = [a for a, _ in ratings], [b for _, b in ratings]
    found = cohens_kappa(first, second, seed=4)
    shuffled = random.sample(ratings, len(ratings))
    assert cohens_kappa([a for a, _ in shuffled], [b for _, b in shuffled], seed=4) == found
    names = ["corner", "core", "edge", "none"]  # Not in the order of the numbers, so the value alone is the same.
    assert cohens_kappa([names[a] for a in first], [names[b] for b in second], seed=4).value == pytest.approx(
        found.value
    )
    assert cohens_kappa(second, first, seed=4).value == pytest.approx(found.value)
    counts = counted(ratings, 4)
    assert fleiss_kappa(random.sample(counts, len(counts)), seed=4) == fleiss_kappa(counts, seed=4)


def test_an_interval_repeats_with_its_seed_and_moves_a_little_with_another():
    first, second = [0, 0, 1, 1, 2] * 8, [0, 1, 1, 1, 2, 0, 0, 1] * 5
    found = cohens_kappa(first, second, seed=1)
    assert found == cohens_kappa(first, second, seed=1)
    other = cohens_kappa(first, second, seed=2)
    assert other.low != found.low
    assert other.low == pytest.approx(found.low, abs=0.05)
    assert found.low < found.value < found.high


def test_answers_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="zip"):
        sensitivity([True], [])
    with pytest.raises(ValueError, match="zip"):
        specificity([], [False])
    with pytest.raises(ValueError, match="not 2 and 1"):
        cohens_kappa([0, 1], [0], seed=0)
    for counts in ([[1, 0]], [[2, 0], [3, 0]], [[-1, 3]]):
        with pytest.raises(ValueError, match="same number of ratings"):
            fleiss_kappa(counts, seed=0)
