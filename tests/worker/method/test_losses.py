import math

import pytest
import torch
from torch import Tensor, nn

from worker.method import losses

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(4, 3, generator=GENERATOR)
CHANGED = torch.randn(4, 3, generator=GENERATOR)
LABELS = torch.tensor([0, 2, 1, 1])


def slow_cross_entropy(logits: Tensor) -> float:
    rows = [[math.exp(value) for value in row] for row in logits.tolist()]
    return -sum(math.log(row[label] / sum(row)) for row, label in zip(rows, LABELS.tolist(), strict=True)) / 4


def test_consistency_is_both_cross_entropies_and_the_weighted_squared_distance() -> None:
    distance = sum((a - b) ** 2 for a, b in zip(LOGITS.flatten().tolist(), CHANGED.flatten().tolist(), strict=True)) / 4
    expected = slow_cross_entropy(LOGITS) + slow_cross_entropy(CHANGED) + 0.5 * distance
    assert losses.consistency(LOGITS, CHANGED, LABELS).item() == pytest.approx(expected, rel=1e-5)
    without = expected - 0.5 * distance
    assert losses.consistency(LOGITS, CHANGED, LABELS, weight=0.0).item() == pytest.approx(without, rel=1e-5)


def test_penalty_matches_the_hand_derivative_of_a_linear_model() -> None:
    weights = torch.randn(3, 8, generator=GENERATOR)
    images = torch.randn(4, 2, 2, 2, generator=GENERATOR).requires_grad_()
    mask = (torch.rand(4, 1, 2, 2, generator=GENERATOR) < 0.5).float()
    logits = images.flatten(1) @ weights.T
    # d/dx sum_k log softmax_k(W x) = sum_k w_k - K sum_k p_k w_k
    by_hand = weights.sum(dim=0) - 3 * logits.softmax(dim=1) @ weights
    expected = (mask * by_hand.reshape(4, 2, 2, 2)).square().sum() / 4
    torch.testing.assert_close(losses.rrr_penalty(images, logits, mask), expected)


def test_penalty_matches_finite_differences_of_a_network() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    images = torch.randn(2, 1, 2, 2, generator=GENERATOR).double().requires_grad_()
    mask = torch.tensor([[[[1.0, 0.0], [1.0, 1.0]]], [[[0.0, 1.0], [0.0, 0.0]]]]).double()
    total, step = 0.0, 1e-6
    for image in range(2):
        for row in range(2):
            for column in range(2):
                moved = torch.zeros_like(images)
                moved[image, 0, row, column] = step
                change = model(images + moved).log_softmax(1).sum() - model(images - moved).log_softmax(1).sum()
                total += (mask[image, 0, row, column] * change / (2 * step)).square().item() / 2
    assert losses.rrr_penalty(images, model(images), mask).item() == pytest.approx(total, rel=1e-5)


def test_a_step_down_the_penalty_makes_the_model_look_less_inside_the_mask() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    images = torch.randn(2, 1, 2, 2, generator=GENERATOR).requires_grad_()
    mask = torch.tensor([1.0, 0.0, 0.0, 1.0]).reshape(1, 1, 2, 2).expand(2, -1, -1, -1)
    optimiser, found = torch.optim.SGD(model.parameters(), lr=1.0), []
    for _ in range(20):
        penalty = losses.rrr_penalty(images, model(images), mask)
        optimiser.zero_grad()
        penalty.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        found.append(penalty.item())
    assert found[-1] < 0.5 * found[0]


def test_normalised_penalty_is_one_at_its_own_reference() -> None:
    images = torch.randn(4, 2, 2, 2, generator=GENERATOR).requires_grad_()
    logits = images.flatten(1) @ torch.randn(8, 3, generator=GENERATOR)
    mask = torch.ones(4, 1, 2, 2)
    reference = losses.rrr_penalty(images, logits, mask).item()
    assert losses.normalised_rrr_penalty(images, logits, mask, reference).item() == pytest.approx(1.0)
    assert math.isfinite(losses.normalised_rrr_penalty(images, logits, mask * 0, 0.0).item())
