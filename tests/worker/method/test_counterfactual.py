import torch
from torch import Tensor

from worker.method import counterfactual

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.rand(3, 2, 9, 7, generator=GENERATOR)
DONORS = torch.rand(3, 2, 9, 7, generator=GENERATOR)


def box(top: int, left: int, height: int = 3, width: int = 3) -> Tensor:
    mask = torch.zeros(1, 9, 7)
    mask[0, top : top + height, left : left + width] = 1
    return mask


MASKS = torch.stack([box(0, 0), box(4, 2), torch.zeros(1, 9, 7)])
OTHER = torch.stack([box(5, 3), torch.zeros(1, 9, 7), box(1, 1)])


def test_fill_and_paste_take_the_donor_inside_the_mask_and_the_image_outside() -> None:
    for changed, masks in (
        (counterfactual.fill(IMAGES, MASKS, DONORS), MASKS),
        (counterfactual.paste(IMAGES, DONORS, OTHER), OTHER),
        (counterfactual.add(IMAGES, DONORS, OTHER), OTHER),
    ):
        torch.testing.assert_close(changed, IMAGES * (1 - masks) + DONORS * masks)


def test_inpainting_leaves_the_rest_alone_and_stays_between_its_surroundings() -> None:
    changed = counterfactual.inpaint(IMAGES, MASKS)
    outside = MASKS.expand_as(IMAGES) == 0
    assert torch.equal(changed[outside], IMAGES[outside])
    assert not torch.equal(changed[0], IMAGES[0])
    assert changed.min() >= IMAGES.min()
    assert changed.max() <= IMAGES.max()
    assert torch.equal(changed[2], IMAGES[2])


def test_what_stood_in_the_mask_never_shows_in_the_inpainted_image() -> None:
    shouted = IMAGES + 1e6 * MASKS
    torch.testing.assert_close(counterfactual.inpaint(shouted, MASKS), counterfactual.inpaint(IMAGES, MASKS))


def test_a_flat_image_is_inpainted_with_its_own_colour() -> None:
    flat = torch.full((3, 2, 9, 7), 0.3)
    torch.testing.assert_close(counterfactual.inpaint(flat + 5 * MASKS, MASKS), flat)


def test_an_image_masked_everywhere_becomes_the_mean_of_normalised_images() -> None:
    assert torch.equal(counterfactual.inpaint(IMAGES, torch.ones(3, 1, 9, 7)), torch.zeros_like(IMAGES))


def test_moving_removes_the_own_region_and_pastes_the_other() -> None:
    changed = counterfactual.move(IMAGES, MASKS, DONORS, OTHER)
    expected = counterfactual.inpaint(IMAGES, MASKS) * (1 - OTHER) + DONORS * OTHER
    torch.testing.assert_close(changed, expected)
    assert torch.equal(counterfactual.remove(IMAGES, MASKS), counterfactual.inpaint(IMAGES, MASKS))


def test_donors_are_of_another_class_and_have_a_region() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2])
    masks = torch.zeros(5, 1, 2, 2)
    masks[[0, 2, 3]] = 1
    allowed = [{2, 3}, {2, 3}, {0}, {0}, {0, 2, 3}]
    drawn: list[set[int]] = [set() for _ in range(5)]
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        for image, donor in enumerate(counterfactual.donors_of_another_class(labels, masks, generator).tolist()):
            drawn[image].add(donor)
    assert drawn == allowed


def test_an_image_without_possible_donor_gets_none() -> None:
    labels, masks = torch.tensor([0, 0, 1]), torch.zeros(3, 1, 2, 2)
    masks[0] = 1
    generator = torch.Generator().manual_seed(0)
    assert counterfactual.donors_of_another_class(labels, masks, generator).tolist() == [-1, -1, 0]
