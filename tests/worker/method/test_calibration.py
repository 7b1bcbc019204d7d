import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from worker.method.calibration import (
    TOO_FEW,
    Identity,
    calibrate,
    cross_fit,
    fit_isotonic,
    fit_temperature,
    log_loss,
)

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
reviews = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40)


def judge(n: int, temperature: float, seed: int, bias: float = 0.0) -> tuple[Floats, Floats, Indices]:
    """What a judge says whose logits are too large by a factor, and what is true; three clusters an image."""
    generator = np.random.default_rng(seed)
    true = generator.beta(0.6, 0.6, n).clip(1e-6, 1 - 1e-6)
    return expit(temperature * logit(true) + bias), drawn(true, generator), np.arange(n) // 3


def in_steps(n: int, seed: int) -> tuple[Floats, Floats, Indices]:
    """A judge whose probability says nothing but in which of three steps it lies."""
    generator = np.random.default_rng(seed)
    p = generator.random(n)
    return p, drawn(np.select([p < 0.3, p < 0.8], [0.05, 0.4], 0.95), generator), np.arange(n) // 3


def drawn(true: Floats, generator: np.random.Generator) -> Floats:
    return (generator.random(len(true)) < true).astype(np.float64)


def test_a_temperature_with_a_bias_is_found_again():
    p, truth, _ = judge(20_000, temperature=2.5, bias=0.8, seed=0)
    found = fit_temperature(p, truth)
    assert 1 / found.slope == pytest.approx(2.5, rel=0.05)
    assert found.bias == pytest.approx(-0.8 / 2.5, abs=0.05)
    without = fit_temperature(*judge(20_000, temperature=4, seed=1)[:2], bias=False)
    assert (1 / without.slope, without.bias) == (pytest.approx(4, rel=0.05), 0)


def test_the_temperature_is_that_of_a_logistic_regression_on_platts_targets():
    p, truth, _ = judge(90, temperature=2, bias=-0.5, seed=2)
    positive = truth.sum()
    target = np.where(truth > 0, (positive + 1) / (positive + 2), 1 / (90 - positive + 2))
    twice = np.tile(logit(p.clip(1e-6, 1 - 1e-6)), 2)[:, None]
    slow = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    slow.fit(twice, np.repeat([1, 0], 90), sample_weight=np.concatenate([target, 1 - target]))
    found = fit_temperature(p, truth)
    assert (found.slope, found.bias) == (pytest.approx(slow.coef_[0, 0], 1e-4), pytest.approx(slow.intercept_[0], 1e-4))


def test_shares_may_stand_for_truths():
    p = np.array([0.9, 0.2, 0.6, 0.6])
    found = fit_temperature(p, np.array([0.5, 0.5, 0.5, 0.5]))
    assert found.slope == pytest.approx(0, abs=1e-3)


def test_a_judge_that_is_wrong_more_often_than_right_is_not_turned_round():
    p, truth, _ = judge(300, temperature=1, seed=3)
    found = fit_temperature(p, 1 - truth)
    assert found.slope == 0
    assert np.ptp(found(np.array([0.01, 0.99]))) == 0


def test_isotonic_regression_is_that_of_scikit_learn_with_one_contradiction_at_either_end():
    p, truth, _ = in_steps(80, seed=4)
    slow = IsotonicRegression().fit([*p, 0.0, 1.0], [*truth, 1.0, 0.0])
    points = np.linspace(0, 1, 301)
    assert fit_isotonic(p, truth)(points) == pytest.approx(slow.predict(points), abs=1e-12)


@given(reviews)
def test_no_map_ever_falls_or_is_quite_certain(given_reviews: list[tuple[float, bool]]):
    p, truth = (np.array(each, dtype=np.float64) for each in zip(*given_reviews, strict=True))
    points = np.linspace(0, 1, 101)
    for made in (fit_temperature(p, truth), fit_isotonic(p, truth)):
        calibrated = made(points)
        assert (np.diff(calibrated) >= -1e-12).all()
        assert ((calibrated > 0) & (calibrated < 1)).all()


@pytest.mark.parametrize(
    ("p", "truth"), [((0.0, 1.0) * 20, (0.0, 1.0) * 20), ((0.5,) * 40, (0.0, 1.0) * 20), ((0.7,) * 40, (1.0,) * 40)]
)
def test_judges_of_few_words_are_fitted_too(p: tuple[float, ...], truth: tuple[float, ...]):
    said, true = np.array(p), np.array(truth)
    assert log_loss(fit_temperature(said, true)(said), true) < 0.7
    assert log_loss(fit_isotonic(said, true)(said), true) < 0.7


def test_the_map_is_chosen_by_what_the_judge_is_like():
    assert calibrate(*judge(400, temperature=1, seed=5)).map.name == "identity"
    assert calibrate(*judge(200, temperature=3, seed=6)).map.name == "temperature"
    chosen = calibrate(*in_steps(600, seed=7))
    assert chosen.map.name == "isotonic"
    assert chosen.losses["isotonic"] < chosen.losses["temperature"] < chosen.losses["identity"]
    assert (chosen.reviewed, chosen.images, chosen.why) == (600, 200, "")


def test_calibration_helps_on_clusters_that_nobody_reviewed():
    made = calibrate(*judge(150, temperature=3, bias=1, seed=8))
    p, truth, _ = judge(5000, temperature=3, bias=1, seed=9)
    assert log_loss(made.map(p), truth) < 0.75 * log_loss(p, truth)


def test_few_reviews_leave_the_judge_as_it_is_and_say_so():
    p, truth, images = judge(300, temperature=4, seed=10)
    few = calibrate(p[:19], truth[:19], images[:19])
    assert (few.map, few.why) == (Identity(), TOO_FEW)
    alike = calibrate(p, np.where(np.arange(300) < 4, 1.0, 0.0), images)
    assert (alike.map, alike.why) == (Identity(), TOO_FEW)
    one_image = calibrate(p, truth, np.zeros(300, dtype=np.int64))
    assert (one_image.map, one_image.why) == (Identity(), TOO_FEW)


@pytest.mark.parametrize("image", range(0, 40, 7))
def test_a_clusters_own_image_never_calibrates_it(image: int):
    p, truth, images = judge(120, temperature=3, seed=11)
    own = images == image
    before = cross_fit(p, truth, images)
    after = cross_fit(p, np.where(own, 1 - truth, truth), images)
    assert (before(p, images)[own] == after(p, images)[own]).all()
    assert (before(p, images)[~own] != after(p, images)[~own]).any(), "its reviews calibrate others"


def test_images_without_reviews_are_calibrated_by_all_reviews():
    p, truth, images = judge(120, temperature=3, seed=12)
    made = cross_fit(p, truth, images)
    elsewhere = made(p, images + 1000)
    assert (elsewhere == made.whole.map(p)).all()
    assert made.whole.map.name == "temperature"
    assert (made(p, images) != elsewhere).all()


def test_nothing_reviewed_changes_nothing():
    none = np.zeros(0)
    made = cross_fit(none, none, none.astype(np.int64))
    assert made(np.array([0.3]), np.array([0])) == pytest.approx(0.3)


def test_every_probability_needs_its_review():
    with pytest.raises(ValueError, match="do not match"):
        cross_fit(np.array([0.3, 0.4]), np.array([1.0]), np.array([0, 1]))
