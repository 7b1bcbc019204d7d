import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.worker.method.baselines.stripes import network, stripes
from worker.method.baselines import groupdro
from worker.method.baselines.groupdro import Settings


def test_losses_are_averaged_by_group() -> None:
    losses, present = groupdro.group_losses(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([2, 0, 2]), 4)
    assert losses.tolist() == [3, 0, 3, 0]
    assert present.tolist() == [True, False, True, False]


def test_weights_follow_the_adjusted_losses_by_hand() -> None:
    settings = Settings(step_size=0.5, adjustment=2.0)
    found = groupdro.reweighted(
        torch.tensor([0.2, 0.3, 0.5]),
        torch.tensor([1.0, 0.4, 0.0]),
        torch.tensor([True, True, False]),
        torch.tensor([100.0, 4.0, 25.0]),
        settings,
    )
    raised = [0.2 * math.exp(0.5 * (1 + 2 / 10)), 0.3 * math.exp(0.5 * (0.4 + 2 / 2)), 0.5]
    torch.testing.assert_close(found, torch.tensor([one / sum(raised) for one in raised]))


def test_the_loss_is_that_of_the_weights_after_this_batch_and_they_are_remembered() -> None:
    made, model = stripes(60, 0, against=0.3), network()
    groups = made.grouped.groups
    robust = groupdro._RobustLoss(groups, Settings(step_size=0.7, adjustment=1.0), torch.device("cpu"))
    q = [1 / 4] * 4
    for chosen in (torch.arange(30), torch.arange(30, 60)):
        each = F.cross_entropy(model(made.images[chosen]), made.labels[chosen], reduction="none")
        means = [each[groups[chosen] == group].mean() for group in range(4)]
        sizes = [int((groups == group).sum()) for group in range(4)]
        q = [q[g] * math.exp(0.7 * (float(means[g].detach()) + 1 / math.sqrt(sizes[g]))) for g in range(4)]
        q = [one / sum(q) for one in q]
        expected = sum((q[g] * means[g] for g in range(4)), torch.zeros(()))
        torch.testing.assert_close(robust(model, made.images[chosen], made.labels[chosen], chosen), expected)


def test_no_gradient_passes_through_the_weights() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    made = stripes(40, 0, against=0.3)
    robust = groupdro._RobustLoss(made.grouped.groups, Settings(step_size=5.0), torch.device("cpu"))
    robust(model, made.images, made.labels, torch.arange(40)).backward()  # type: ignore[no-untyped-call]
    assert not robust.weights.requires_grad
    assert model[1].weight.grad is not None
