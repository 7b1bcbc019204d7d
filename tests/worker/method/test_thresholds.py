import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom

from worker.method.calibration import Identity, Isotonic, Temperature
from worker.method.thresholds import Thresholds, choose_thresholds, fewest, share_uncertain

Floats = npt.NDArray[np.float64]
REVIEWED, STUDIES = 160, 80


def clusters(n: int, seed: int) -> tuple[Floats, Floats]:
    """True probabilities, mostly sure ones, and truths."""
    generator = np.random.default_rng(seed)
    true = generator.beta(0.25, 0.25, n)
    return true, (generator.random(n) < true).astype(np.float64)


def error_rate(true: Floats, found: Thresholds) -> float:
    assert found.uncertain_from is not None
    assert found.uncertain_to is not None
    spurious, relevant = true >= found.uncertain_to, true <= found.uncertain_from
    return float(np.where(spurious, 1 - true, true)[spurious | relevant].mean())


def test_the_error_rate_among_the_decided_is_kept_as_often_as_was_asked_for():
    everything, _ = clusters(50_000, seed=0)
    studies = [choose_thresholds(*clusters(REVIEWED, seed), Identity()) for seed in range(1, STUDIES + 1)]
    found = [each for each in studies if not each.missing]
    assert len(found) > 0.7 * STUDIES
    assert sum(error_rate(everything, each) > 0.05 for each in found) <= 0.1 * STUDIES
    decided = [1 - share_uncertain(everything, each.uncertain_from or 0, each.uncertain_to or 1) for each in found]
    assert np.mean(decided) > 0.4


def test_without_the_guard_it_would_not_be_kept():
    """The largest set in which one in twenty was wrong, as one would choose by eye."""
    everything, _ = clusters(50_000, seed=0)
    broken = 0
    for seed in range(1, STUDIES + 1):
        true, truth = clusters(REVIEWED, seed)
        doubt = np.minimum(true, 1 - true)
        order = np.argsort(doubt)
        wrong = np.cumsum((true[order] > 0.5) != (truth[order] > 0.5)) / np.arange(1, REVIEWED + 1)
        limit = doubt[order][np.flatnonzero(wrong <= 0.05).max()]
        decided = np.minimum(everything, 1 - everything) <= limit
        broken += float(np.minimum(everything, 1 - everything)[decided].mean()) > 0.05
    assert broken > 0.2 * STUDIES


def test_a_judge_that_is_always_right_decides_everything():
    truth = np.tile([0.0, 1.0], 40)
    found = choose_thresholds(np.where(truth > 0, 0.9, 0.2), truth, Identity())
    assert (found.decided, found.wrong, found.missing) == (80, 0, "")
    assert (found.uncertain_from, found.uncertain_to) == (pytest.approx(0.2), pytest.approx(0.8))
    assert found.most == pytest.approx(1 - (0.1 / 3) ** (1 / 80))


def test_the_rate_is_bounded_from_above_by_the_exact_limit():
    true, truth = clusters(400, seed=3)
    found = choose_thresholds(true, truth, Identity())
    assert found.wrong > 0
    assert found.decided < 400
    assert binom.cdf(found.wrong, found.decided, found.most) == pytest.approx(0.2 / 3)
    assert found.most <= 0.05


def test_the_words_for_both_sides_are_counted_apart():
    p = np.array([0.98] * 50 + [0.02] * 60)
    truth = np.array([1.0] * 49 + [0.0] + [0.0] * 60)
    found = choose_thresholds(p, truth, Identity())
    assert (found.spurious.decided, found.spurious.wrong) == (50, 1)
    assert (found.relevant.decided, found.relevant.wrong) == (60, 0)


def test_too_few_reviews_give_no_thresholds_and_say_how_many_it_takes():
    truth = np.tile([0.0, 1.0], 26)
    found = choose_thresholds(np.where(truth > 0, 0.99, 0.01), truth, Identity())
    assert (found.uncertain_from, found.uncertain_to, found.reviewed) == (None, None, 52)
    assert found.missing == "At least 53 reviewed regions are needed for this; 52 are there."
    assert (fewest(0.05, 0.9), fewest(0.05, 1 - 0.2 / 3)) == (45, 53)


def test_a_mistake_among_the_surest_does_not_hide_that_all_are_mostly_right():
    p = np.array([0.999] * 72 + [0.95] * 72)
    truth = np.where(np.arange(144) < 2, 0.0, 1.0)
    found = choose_thresholds(p, truth, Identity())
    assert (found.decided, found.wrong, found.missing) == (144, 2, "")


def test_a_judge_that_errs_where_it_is_surest_gives_no_thresholds_and_says_why():
    truth = np.tile([0.0, 1.0, 1.0], 40)
    found = choose_thresholds(np.full(120, 0.99), truth, Identity())
    assert found.uncertain_to is None
    assert found.missing == "Of the 120 surest reviewed regions 40 were judged wrongly: too many."


def test_a_stricter_target_decides_less():
    true, truth = clusters(1000, seed=4)
    shares = [choose_thresholds(true, truth, Identity(), target).decided for target in (0.02, 0.05, 0.1)]
    assert shares[0] < shares[1] < shares[2]


@given(st.floats(0.1, 3), st.floats(-2, 2), st.integers(0, 50))
def test_raw_thresholds_decide_as_the_calibrated_limit_does(slope: float, bias: float, seed: int):
    raw = np.random.default_rng(seed).beta(0.3, 0.3, 300)
    made = Temperature(slope, bias)
    calibrated = made(raw)
    truth = np.where(calibrated > 0.5, 1.0, 0.0)
    found = choose_thresholds(calibrated, truth, made)
    assume(not found.missing)
    assert found.uncertain_from is not None
    assert found.uncertain_to is not None
    assert 0 <= found.uncertain_from <= found.uncertain_to <= 1
    clear = np.abs(np.minimum(calibrated, 1 - calibrated) - found.limit) > 1e-9
    by_raw = (raw <= found.uncertain_from) | (raw >= found.uncertain_to)
    by_limit = np.minimum(calibrated, 1 - calibrated) <= found.limit
    assert (by_raw == by_limit)[clear].all()


def test_a_map_that_tells_nothing_apart_gives_no_thresholds():
    truth = np.zeros(100)
    flat = Isotonic((0.0, 1.0), (0.4, 0.4))
    found = choose_thresholds(np.full(100, 0.01), truth, flat)
    assert found.missing == "No probability of the judge is sure enough to decide by."


def test_the_share_left_uncertain_is_that_between_the_thresholds():
    raw = np.array([0.1, 0.35, 0.36, 0.5, 0.65, 0.9])
    assert share_uncertain(raw, 0.35, 0.65) == pytest.approx(2 / 6)
    assert share_uncertain(np.zeros(0), 0.35, 0.65) == 0


def test_every_probability_needs_its_review():
    with pytest.raises(ValueError, match="do not match"):
        choose_thresholds(np.array([0.3, 0.4]), np.array([1.0]), Identity())
