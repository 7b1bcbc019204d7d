"""Group DRO: minimise the loss of the group that fares worst (group distributionally robust optimisation).

Sagawa et al. 2020, Distributionally robust neural networks for group shifts, algorithm 1: batches hold the groups in
equal parts, the weights of the groups follow their losses by exponentiated gradients, and the model the weighted
losses. It is told the groups of training and validation images, which we are not. As there, strong weight decay is
among the settings, and epoch and settings are chosen by the worst group of the validation images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worker.method.baselines.groups import Grouped
from worker.method.baselines.measured import worst_group_accuracy
from worker.method.baselines.protocol import Schedule, Told, Tuned, best_of
from worker.method.baselines.training import balanced, train, weighted

TOLD: Told = "groups"


@dataclass(frozen=True)
class Settings:
    """step_size: of the exponentiated gradient. adjustment: C in C / sqrt(n_g), which favours small groups."""

    step_size: float = 0.01
    adjustment: float = 0.0
    weight_decay: float = 1e-4


GRID = (
    Settings(step_size=0.1, weight_decay=0.1),
    Settings(step_size=0.1, adjustment=2.0),
    Settings(step_size=0.1),
    Settings(step_size=0.01),
)


def group_losses(losses: Tensor, groups: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean of the losses (B,) of every group (B,) int64, (G,) with 0 where there is none; and who is there, (G,)."""
    members = F.one_hot(groups, count).to(losses.dtype)
    present = members.sum(dim=0)
    return (losses @ members) / present.clamp(min=1), present > 0


def reweighted(weights: Tensor, losses: Tensor, present: Tensor, sizes: Tensor, settings: Settings) -> Tensor:
    """The groups' weights after a step: q_g exp(eta (l_g + C / sqrt(n_g))), scaled to sum 1. All are (G,).

    sizes: n_g, the images of each group. A group that is not in the batch has no loss to follow and stays.
    """
    adjusted = losses + settings.adjustment / sizes.sqrt()
    raised = weights * (settings.step_size * adjusted * present).exp()
    return raised / raised.sum()


class _RobustLoss:
    """The weighted loss of a batch. It remembers the weights from step to step."""

    def __init__(self, groups: Tensor, settings: Settings, device: torch.device) -> None:
        self.groups, self.settings = groups.to(device), settings
        self.sizes = groups.bincount().to(device).float()
        self.weights = torch.full_like(self.sizes, 1 / len(self.sizes))

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor, indices: Tensor) -> Tensor:
        each = F.cross_entropy(model(images), labels, reduction="none")
        losses, present = group_losses(each, self.groups[indices], len(self.sizes))
        self.weights = reweighted(self.weights, losses.detach(), present, self.sizes, self.settings)
        return losses @ self.weights


def fit(
    original: nn.Module,
    train_on: Grouped,
    validation: Grouped,
    schedule: Schedule,
    seed: int,
    settings: Settings = GRID[0],
) -> nn.Module:
    """The original, trained further for its worst group. Same seed, same weights."""
    groups = train_on.groups
    return train(
        original,
        train_on.data,
        weighted(balanced(groups), schedule.batch_size),
        replace(schedule, weight_decay=settings.weight_decay),
        seed,
        _RobustLoss(groups, settings, next(original.parameters()).device),
        partial(worst_group_accuracy, told=validation),
    )


def tuned(
    original: nn.Module,
    train_on: Grouped,
    validation: Grouped,
    schedule: Schedule,
    seed: int,
    grid: Sequence[Settings] = GRID,
) -> Tuned[Settings]:
    """``fit`` with the settings whose worst group of validation images fares best."""
    return best_of(
        grid,
        lambda settings: fit(original, train_on, validation, schedule, seed, settings),
        partial(worst_group_accuracy, told=validation),
    )
