import numpy as np
import pytest

from worker.datasets.digits import digits
from worker.lvlm.embedded.digits import draw_digit, draw_digits


@pytest.mark.parametrize("label", range(10))
def test_a_drawn_digit_is_light_on_black_and_leaves_the_corners_free(label: int) -> None:
    generator = np.random.default_rng(label)
    for _ in range(20):
        image = draw_digit(label, generator)
        assert (image.shape, image.dtype) == ((28, 28), np.uint8)
        assert image.max() > 150
        corners = np.concatenate([image[:4, :4], image[:4, 24:], image[24:, :4], image[24:, 24:]])
        assert corners.mean() < 12  # of 255: a slanted stroke may touch one


def test_the_same_seed_draws_the_same_digits_and_no_two_are_alike() -> None:
    labels = np.repeat(np.arange(10), 3)
    drawn = draw_digits(labels, np.random.default_rng(1))
    assert np.array_equal(drawn, draw_digits(labels, np.random.default_rng(1)))
    assert len({image.tobytes() for image in drawn}) == 30


def test_drawn_digits_have_about_as_much_ink_as_real_ones_in_the_same_place() -> None:
    drawn = draw_digits(np.arange(300) % 10, np.random.default_rng(0)) > 50
    real = digits()[0] > 50
    assert drawn.mean() == pytest.approx(real.mean(), rel=0.25)
    assert np.corrcoef(drawn.mean(axis=0).ravel(), real.mean(axis=0).ravel())[0, 1] > 0.9


def test_a_rule_learned_on_drawn_digits_reads_real_ones() -> None:
    """Nearest class mean: far above chance only if drawn ones look like real ones, class by class."""
    labels = np.arange(600) % 10
    drawn = draw_digits(labels, np.random.default_rng(0)).reshape(600, -1) / 255
    means = np.stack([drawn[labels == label].mean(axis=0) for label in range(10)])
    images, truth = digits()
    real = images[::10].reshape(-1, 784) / 255
    said = ((real[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (said == truth[::10]).mean() > 0.55
