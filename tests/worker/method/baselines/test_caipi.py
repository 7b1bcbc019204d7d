import pytest
import torch

from tests.worker.method.baselines.stripes import stripes
from worker.method import counterfactual
from worker.method.baselines import caipi
from worker.method.baselines.caipi import Fill, Settings

ALIGNED = stripes(20, 0, against=0.1).aligned
# Some have no region.
ALIGNED.masks[15:] = 0


def made(fill: Fill, copies: int = 3) -> torch.Tensor:
    found = caipi.counterexamples(ALIGNED, Settings(copies, fill), torch.Generator().manual_seed(0))
    assert found.labels.tolist() == ALIGNED.labels[:15].tolist() * copies
    return found.images.reshape(copies, 15, 1, 8, 8)


@pytest.mark.parametrize("fill", ["random", "swap", "inpaint"])
def test_counterexamples_change_the_masked_pixels_only_and_keep_the_label(fill: Fill) -> None:
    found, outside = made(fill), ALIGNED.masks[:15] == 0
    for one in found:
        assert torch.equal(one[outside], ALIGNED.images[:15][outside])
        assert not torch.equal(one[~outside], ALIGNED.images[:15][~outside])


def test_random_values_differ_between_copies_and_stay_within_the_channel() -> None:
    found = made("random")
    assert not torch.equal(found[0], found[1])
    assert found.min() >= ALIGNED.images.min()
    assert found.max() <= ALIGNED.images.max()


def test_swapped_regions_are_those_of_alignment_images_and_inpainting_is_ours() -> None:
    corners = {tuple(corner.flatten().tolist()) for corner in ALIGNED.images[:, 0, :2, :2]}
    assert all(tuple(corner.flatten().tolist()) in corners for corner in made("swap")[:, :, 0, :2, :2].flatten(0, 1))
    assert torch.equal(made("inpaint")[0], counterfactual.inpaint(ALIGNED.images[:15], ALIGNED.masks[:15]))


def test_training_images_and_counterexamples_are_taken_in_the_order_asked_for() -> None:
    first, then = stripes(6, 1, against=0.1).data, stripes(4, 2, against=0.1).data
    joined = caipi._Joined(first, then)
    asked = torch.tensor([9, 0, 6, 5, 0])
    images, labels = joined.take(asked)
    assert len(joined) == 10
    assert torch.equal(images, torch.cat([first.images, then.images])[asked])
    assert torch.equal(labels, torch.cat([first.labels, then.labels])[asked])
    for only in (torch.tensor([3, 1]), torch.tensor([8, 7])):
        assert torch.equal(joined.take(only)[0], torch.cat([first.images, then.images])[only])
