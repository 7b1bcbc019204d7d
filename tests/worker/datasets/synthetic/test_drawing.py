"""What holds for every generator of synthetic pictures."""

import numpy as np
import pytest

from worker.datasets.synthetic import Drawn, draw_knees, draw_lesions
from worker.datasets.synthetic.shortcut import Draw

SIZE = 96
COUNT = 12
LABELS = np.arange(COUNT) % 2
EITHER = pytest.mark.parametrize("draw", [draw_knees, draw_lesions])


def drawn(draw: Draw, labels, artefact: bool, seed: int = 0, size: int = SIZE) -> Drawn:
    return draw(labels, np.full(len(labels), artefact), size, np.random.default_rng(seed))


@pytest.mark.parametrize(("draw", "channels"), [(draw_knees, 1), (draw_lesions, 3)])
@pytest.mark.parametrize("size", [72, 224])
def test_pictures_have_the_size_asked_for_and_masks_of_the_same(draw: Draw, channels: int, size: int) -> None:
    result = drawn(draw, LABELS[:3], artefact=True, size=size)
    assert result.images.shape == (3, size, size, channels)
    assert result.images.dtype == np.uint8
    assert result.artefact.shape == result.core.shape == (3, size, size)
    assert result.artefact.dtype == result.core.dtype == np.bool_
    assert result.labels.tolist() == [0, 1, 0]
    assert result.labels.dtype == np.int64


@EITHER
def test_a_seed_decides_every_pixel(draw: Draw) -> None:
    one, same, other = (drawn(draw, LABELS, artefact=True, seed=seed) for seed in (1, 1, 2))
    assert (one.images == same.images).all()
    assert (one.artefact == same.artefact).all()
    assert (one.core == same.core).all()
    assert all((one.images[i] != other.images[i]).any() for i in range(COUNT))


@EITHER
def test_no_two_patients_are_the_same(draw: Draw) -> None:
    images = drawn(draw, np.zeros(COUNT, dtype=int), artefact=False).images
    assert len({image.tobytes() for image in images}) == COUNT


@EITHER
def test_the_artefact_changes_the_pixels_of_its_mask_and_no_other(draw: Draw) -> None:
    without, with_artefact = (drawn(draw, LABELS, artefact=shown) for shown in (False, True))
    changed = (without.images != with_artefact.images).any(axis=-1)
    assert not (changed & ~with_artefact.artefact).any()
    # A pixel may have the same value by chance or be saturated in both, but few do.
    assert changed.sum() > 0.85 * with_artefact.artefact.sum()
    assert (without.core == with_artefact.core).all()


@EITHER
def test_without_an_artefact_the_mask_is_empty_and_with_one_it_is_not(draw: Draw) -> None:
    shown = np.array([True, False, False, True])
    result = draw(LABELS[:4], shown, SIZE, np.random.default_rng(5))
    assert (result.present == shown).all()
    assert (result.artefact.any(axis=(1, 2)) == shown).all()


@EITHER
def test_an_artefact_elsewhere_in_the_set_changes_no_other_picture(draw: Draw) -> None:
    shown = np.array([False, True, False])
    labels = np.array([0, 1, 1])
    mixed = draw(labels, shown, SIZE, np.random.default_rng(5))
    plain = draw(labels, np.zeros(3, dtype=bool), SIZE, np.random.default_rng(5))
    assert (mixed.images[[0, 2]] == plain.images[[0, 2]]).all()


@EITHER
def test_the_label_changes_the_core_and_no_other_pixel(draw: Draw) -> None:
    ill, well = (drawn(draw, np.full(COUNT, label), artefact=True) for label in (1, 0))
    changed = (ill.images != well.images).any(axis=-1)
    assert not (changed & ~(ill.core | well.core)).any()
    assert changed.any(axis=(1, 2)).all()


@EITHER
def test_the_artefact_is_the_same_whatever_the_label(draw: Draw) -> None:
    ill, well = (drawn(draw, np.full(COUNT, label), artefact=True) for label in (1, 0))
    assert (ill.artefact == well.artefact).all()


@EITHER
def test_the_artefact_seldom_hides_the_core(draw: Draw) -> None:
    result = drawn(draw, np.arange(60) % 2, artefact=True)
    hidden = (result.artefact & result.core).sum(axis=(1, 2)) / result.core.sum(axis=(1, 2))
    assert hidden.mean() < 0.1
    assert (hidden < 0.05).mean() > 0.7


@EITHER
def test_a_small_picture_shows_the_same_as_a_large_one(draw: Draw) -> None:
    small, large = (drawn(draw, LABELS, artefact=True, size=size) for size in (56, 224))
    shrunk = large.images.reshape(COUNT, 56, 4, 56, 4, -1).mean(axis=(2, 4))
    for one, other in zip(small.images, shrunk, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.85


@EITHER
def test_labels_and_artefacts_that_do_not_fit_are_refused(draw: Draw) -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="One artefact per label"):
        draw(LABELS, np.zeros(3, dtype=bool), SIZE, generator)
    with pytest.raises(ValueError, match="0 and 1"):
        draw(np.array([0, 2]), np.zeros(2, dtype=bool), SIZE, generator)
