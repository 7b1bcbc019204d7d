import math

import pytest
import torch
from torch import Tensor, nn

from worker.method import evaluation
from worker.method.evaluation import Proportion


def test_proportion_has_the_wilson_interval() -> None:
    found = evaluation.proportion(torch.tensor([True] * 17 + [False] * 3))
    # The ends solve (p - 17/20)^2 = z^2 p (1 - p) / 20 (Wilson 1927).
    for end in (found.low, found.high):
        assert (end - 0.85) ** 2 == pytest.approx(1.959963984540054**2 * end * (1 - end) / 20)
    assert found.low < 0.85 < found.high
    assert found.value == pytest.approx(0.85)
    assert found.n == 20


@pytest.mark.parametrize("hits", [torch.ones(5, dtype=torch.bool), torch.zeros(5, dtype=torch.bool)])
def test_an_interval_at_the_border_stays_inside_and_keeps_its_width(hits: Tensor) -> None:
    found = evaluation.proportion(hits)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.3


def test_no_cases_tell_nothing() -> None:
    assert evaluation.proportion(torch.zeros(0, dtype=torch.bool)) == Proportion(0.0, 0.0, 1.0, 0)


def test_accuracy_counts_the_largest_logit() -> None:
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert evaluation.accuracy(logits, torch.tensor([1, 0, 0, 0])).value == pytest.approx(0.75)


def test_groups_worst_group_and_average_of_groups() -> None:
    correct = torch.tensor([True] * 9 + [False] + [True] * 5 + [False] * 5 + [False] * 3)
    groups = ["b"] * 10 + ["a"] * 10 + ["tiny"] * 3
    found = evaluation.by_group(correct, groups)
    assert {name: share.value for name, share in found.items()} == {"a": 0.5, "b": pytest.approx(0.9), "tiny": 0.0}
    assert list(found) == ["a", "b", "tiny"]
    worst = evaluation.worst_group(found)
    assert worst is not None
    assert worst[0] == "a"
    average = evaluation.average_of_groups(found)
    assert average is not None
    assert average.value == pytest.approx(0.7)
    assert average.n == 20
    assert evaluation.worst_group(found, at_least=11) is None
    assert evaluation.average_of_groups(found, at_least=11) is None


def test_the_average_of_groups_has_an_interval_of_the_width_that_chance_gives() -> None:
    """Drawn again and again from known accuracies, 95 of 100 intervals hold their average."""
    truth, sizes = {"a": 0.97, "b": 0.6, "c": 0.8}, {"a": 30, "b": 15, "c": 40}
    generator, held = torch.Generator().manual_seed(0), 0
    for _ in range(400):
        groups = {
            name: evaluation.proportion(torch.rand(sizes[name], generator=generator) < share)
            for name, share in truth.items()
        }
        average = evaluation.average_of_groups(groups)
        assert average is not None
        held += average.low <= sum(truth.values()) / 3 <= average.high
    assert 0.92 <= held / 400 <= 0.98


def test_the_average_of_one_group_and_of_faultless_groups() -> None:
    faultless = evaluation.proportion(torch.ones(20, dtype=torch.bool))
    one = evaluation.average_of_groups({"a": faultless})
    assert one is not None
    assert (one.value, one.low, one.high) == pytest.approx((1.0, faultless.low, 1.0))
    two = evaluation.average_of_groups({"a": faultless, "b": faultless})
    assert two is not None
    assert faultless.low < two.low < 1 == two.high


def test_mu_align_is_the_attribution_off_the_true_mask() -> None:
    generator = torch.Generator().manual_seed(0)
    attribution = torch.randn(6, 5, 4, generator=generator)
    truth = torch.rand(6, 5, 4, generator=generator) < 0.3
    shares = []
    for phi, mask in zip(attribution.tolist(), truth.tolist(), strict=True):
        cells = [(abs(p), m) for row, flags in zip(phi, mask, strict=True) for p, m in zip(row, flags, strict=True)]
        shares.append(sum(size for size, inside in cells if inside) / sum(size for size, _ in cells))
    found = evaluation.mu_align(attribution, truth)
    assert found.value == pytest.approx(1 - sum(shares) / 6, abs=1e-6)
    assert found.low < found.value < found.high
    assert found.n == 6


def test_a_collapsed_model_has_perfect_mu_align() -> None:
    assert evaluation.mu_align(torch.zeros(3, 4, 4), torch.ones(3, 4, 4, dtype=torch.bool)).value == 1


class Corner(nn.Module):
    """Decides by the pixel in the left upper corner alone: class 1 where it is bright."""

    def forward(self, images: Tensor) -> Tensor:
        bright = images[:, 0, 0, 0]
        return torch.stack([-4 * bright, 4 * bright], dim=1)


class Middle(nn.Module):
    """Decides by the pixel in the middle alone."""

    def forward(self, images: Tensor) -> Tensor:
        bright = images[:, 0, 4, 4]
        return torch.stack([-4 * bright, 4 * bright], dim=1)


@pytest.fixture
def shortcut() -> tuple[Tensor, Tensor, Tensor]:
    """Twelve images: the middle and the corner both show the class; the corner is the spurious region."""
    labels = torch.arange(12) % 2
    images = torch.zeros(12, 1, 8, 8)
    sign = (2 * labels - 1).float()
    images[:, 0, 4, 4] = sign
    images[:, 0, :2, :2] = sign[:, None, None]
    masks = torch.zeros(12, 1, 8, 8)
    masks[:, :, :2, :2] = 1
    return images, labels, masks


def test_a_model_on_the_shortcut_fails_the_settling_test(shortcut: tuple[Tensor, Tensor, Tensor]) -> None:
    found = evaluation.settling_test(Corner(), *shortcut, seed=0)
    assert found["add"].flipped.value == found["move"].flipped.value == 1
    certain, wrong = 1 / (1 + math.exp(-8)), 1 / (1 + math.exp(8))
    assert found["move"].change.value == pytest.approx(wrong - certain, abs=1e-6)
    assert found["remove"].change.value < -0.3


def test_a_model_on_the_core_passes_the_settling_test(shortcut: tuple[Tensor, Tensor, Tensor]) -> None:
    found = evaluation.settling_test(Middle(), *shortcut, seed=0)
    assert tuple(found) == evaluation.OPERATIONS
    for effect in found.values():
        assert effect.flipped == evaluation.proportion(torch.zeros(12, dtype=torch.bool))
        assert effect.change.value == 0


def test_what_a_region_hides_is_told_apart_from_what_it_shows(shortcut: tuple[Tensor, Tensor, Tensor]) -> None:
    images, labels, masks = shortcut
    corner = evaluation.settling_test(Corner(), images, labels, masks, seed=0)
    # Its own region lies in the same place, so that covering that leaves the ground, which says nothing.
    assert corner["cover"].change.value == corner["remove"].change.value
    masks = torch.zeros_like(masks)
    masks[:, :, 3:6, 3:6] = 1  # over what the other model rightly looks at; no region shows anything of its own
    images[:, :, 3:6, 3:6] = images[:, :, 4:5, 4:5]
    middle = evaluation.settling_test(Middle(), images, labels, masks, seed=0)
    assert middle["add"].flipped.value == 1
    assert middle["cover"].change.value < -0.3


def test_only_what_is_asked_for_is_done(shortcut: tuple[Tensor, Tensor, Tensor]) -> None:
    whole = evaluation.settling_test(Corner(), *shortcut, seed=0)
    some = evaluation.settling_test(Corner(), *shortcut, seed=0, operations=("move", "cover"))
    assert some == {"move": whole["move"], "cover": whole["cover"]}


def test_only_images_with_a_region_lose_it_and_operations_without_images_are_left_out(
    shortcut: tuple[Tensor, Tensor, Tensor],
) -> None:
    images, labels, masks = shortcut
    masks[labels == 0] = 0
    found = evaluation.settling_test(Middle(), images, labels, masks, seed=0)
    assert found["remove"].flipped.n == 6
    # Regions of the other class are there for class 0 only, which has none of its own to move.
    assert found["add"].flipped.n == found["cover"].flipped.n == 6
    assert "move" not in found
    assert evaluation.settling_test(Middle(), images, labels, masks * 0, seed=0) == {}
