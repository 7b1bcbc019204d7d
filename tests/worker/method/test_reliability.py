import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from worker.method.reliability import calibration_error, reliability_curve

Floats = npt.NDArray[np.float64]


def judge(n: int, temperature: float, seed: int) -> tuple[Floats, Floats, Floats]:
    """What a judge says whose logits are too large by a factor, the true probabilities, and what is true."""
    generator = np.random.default_rng(seed)
    true = generator.beta(0.6, 0.6, n).clip(1e-6, 1 - 1e-6)
    return expit(temperature * logit(true)), true, (generator.random(n) < true).astype(np.float64)


def test_the_plain_error_is_the_mean_gap_of_bins_of_equal_mass():
    p, _, truth = judge(500, temperature=2, seed=0)
    order = np.argsort(p)
    slow = sum(abs(p[part].mean() - truth[part].mean()) * len(part) for part in np.array_split(order, 10)) / 500
    assert calibration_error(p, truth).plain == pytest.approx(slow)
    curve = reliability_curve(p, truth)
    assert [each.n for each in curve] == [50] * 10
    assert sum(abs(each.predicted - each.observed) * each.n for each in curve) / 500 == pytest.approx(slow)
    assert all(each.low <= each.observed <= each.high for each in curve)


@pytest.mark.parametrize("n", [60, 200, 1000])
def test_chance_is_not_counted_against_a_calibrated_judge(n: int):
    errors = [calibration_error(p, truth) for p, _, truth in (judge(n, 1, seed) for seed in range(20))]
    plain, by_chance = np.mean([each.plain for each in errors]), np.mean([each.by_chance for each in errors])
    assert plain == pytest.approx(by_chance, rel=0.2)
    assert np.mean([each.value for each in errors]) < 0.6 * plain
    assert np.mean([each.low == 0 for each in errors]) >= 0.85


@pytest.mark.parametrize("n", [100, 1000])
def test_the_interval_holds_a_true_error(n: int):
    p, true, _ = judge(100_000, temperature=2.5, seed=1)
    truth = np.mean([abs((p - true)[part].mean()) for part in np.array_split(np.argsort(p), 10)])
    errors = [calibration_error(said, answers) for said, _, answers in (judge(n, 2.5, seed) for seed in range(30))]
    assert np.mean([each.low <= truth <= each.high for each in errors]) >= 0.85
    assert np.mean([each.value for each in errors]) == pytest.approx(truth, rel=0.25)


def test_images_that_err_as_one_widen_the_interval():
    p, _, truth = judge(60, temperature=2, seed=2)
    tenfold, images = (np.repeat(each, 10) for each in (p, np.arange(60)))
    answers = np.repeat(truth, 10)
    together, apart = calibration_error(tenfold, answers, images), calibration_error(tenfold, answers)
    assert together.plain == pytest.approx(apart.plain)
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_a_judge_that_was_always_right_may_still_be_too_sure():
    truth = np.repeat([0.0, 1.0], 12)
    found = calibration_error(truth, truth)
    assert (found.value, found.low, found.n) == (0, 0, 24)
    assert 0.1 < found.high < 0.2


def test_equal_probabilities_share_a_bin():
    p = np.repeat([0.1, 0.9], 50)
    truth = np.tile([0.0, 0.0, 0.0, 0.0, 1.0], 20)
    assert [(each.predicted, each.observed, each.n) for each in reliability_curve(p, truth)] == [
        (pytest.approx(0.1), pytest.approx(0.2), 50),
        (pytest.approx(0.9), pytest.approx(0.2), 50),
    ]
    assert calibration_error(p, truth).plain == pytest.approx(0.4)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.randoms())
def test_the_order_of_the_clusters_does_not_matter(rows: list[tuple[float, bool]], random):
    shuffled = random.sample(rows, len(rows))
    first, second = (calibration_error(*np.array(each, dtype=np.float64).T) for each in (rows, shuffled))
    assert (second.plain, second.value, second.low, second.high) == (
        pytest.approx(first.plain, abs=1e-9),
        pytest.approx(first.value, abs=1e-6),
        pytest.approx(first.low, abs=1e-6),
        pytest.approx(first.high, abs=1e-6),
    )
    assert 0 <= first.low <= first.value <= first.high <= 1


def test_nothing_reviewed_has_no_curve():
    assert reliability_curve(np.zeros(0), np.zeros(0)) == ()
