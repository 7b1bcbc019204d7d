import pytest
import torch

from worker.vision.baselines import baseline_index, baselines

IMAGES = torch.arange(20.0).reshape(20, 1, 1, 1)


def test_baselines_are_different_training_images_in_their_order() -> None:
    drawn = baselines(IMAGES, 8, seed=1).flatten().tolist()
    assert drawn == sorted(set(drawn))
    assert len(drawn) == 8
    assert drawn == baseline_index(20, 8, seed=1).tolist()


def test_the_seed_decides_which() -> None:
    assert baselines(IMAGES, 8, seed=1).equal(baselines(IMAGES, 8, seed=1))
    assert not baselines(IMAGES, 8, seed=1).equal(baselines(IMAGES, 8, seed=2))


def test_a_small_set_gives_all_it_has() -> None:
    assert baselines(IMAGES[:3], 8, seed=1).equal(IMAGES[:3])


@pytest.mark.parametrize(("images", "count"), [(0, 3), (3, 0)])
def test_no_baselines_is_an_error(images: int, count: int) -> None:
    with pytest.raises(ValueError, match="Cannot draw"):
        baselines(IMAGES[:images], count, seed=0)
