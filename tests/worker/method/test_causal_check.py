"""Against a slow version: one image, one cluster, one covering at a time."""

import math

import pytest
import torch
from torch import Tensor, nn

from worker.method import causal_check as module
from worker.method.causal_check import causal_check
from worker.method.counterfactual import inpaint

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.rand(3, 2, 8, 8, generator=GENERATOR)
LABELS = torch.tensor([0, 2, 1])
ASSIGNMENT = torch.randint(-1, 2, (3, 8, 8), generator=GENERATOR)
COMPONENTS = 3  # of which no image has the last


def model() -> nn.Module:
    net = nn.Sequential(nn.Flatten(), nn.Linear(128, 3))
    nn.init.normal_(net[1].weight, generator=torch.Generator().manual_seed(1))
    return net.requires_grad_(requires_grad=False)


def slowly(net: nn.Module, image: Tensor, label: int) -> tuple[float, float]:
    probability = net(image[None]).double().softmax(1)[0, label].item()
    return probability, math.log(probability / (1 - probability))


@pytest.mark.parametrize("at_once", [1, 4, 64])
def test_every_cluster_is_covered_by_itself(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(module, "COVERED_AT_ONCE", at_once)
    net = model()
    found = causal_check(net, IMAGES, LABELS, ASSIGNMENT, COMPONENTS)
    for index, (image, label) in enumerate(zip(IMAGES, LABELS.tolist(), strict=True)):
        before, odds_before = slowly(net, image, label)
        assert found.certainty[index].item() == pytest.approx(before, abs=1e-5)
        for number in range(COMPONENTS):
            mask = (ASSIGNMENT[index] == number)[None, None].float()
            after, odds_after = slowly(net, inpaint(image[None], mask)[0], label)
            assert found.fall[index, number].item() == pytest.approx(before - after, abs=1e-5)
            assert found.odds_fall[index, number].item() == pytest.approx(odds_before - odds_after, abs=1e-4)
    assert found.fall[:, :2].abs().min() > 0
    assert not found.fall[:, 2].any()
    assert not found.odds_fall[:, 2].any()


def test_the_odds_still_move_where_the_certainty_is_too_close_to_one_to() -> None:
    def sure(images: Tensor) -> Tensor:
        return torch.stack([40 + 40 * images[:, 0, 0, 0], torch.zeros(len(images))], dim=1)

    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 0] = 1
    corner = torch.full((1, 4, 4), -1)
    corner[0, 0, 0] = 0
    found = causal_check(sure, image, torch.tensor([0]), corner, 1)
    assert found.fall.item() == 0
    assert found.odds_fall.item() == pytest.approx(40, rel=0.01)


def test_no_image_and_no_cluster_are_no_error() -> None:
    net = model()
    assert causal_check(net, IMAGES[:0], LABELS[:0], ASSIGNMENT[:0], 2).fall.shape == (0, 2)
    assert not causal_check(net, IMAGES, LABELS, torch.full_like(ASSIGNMENT, -1), 2).fall.any()
