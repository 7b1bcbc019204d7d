"""Resampling: plain training on images drawn so that label and artefact tell nothing of each other.

Kamiran & Calders 2012, Data preprocessing techniques for classification without discrimination. It is told the groups
of training and validation images, which we are not. Where a group is a few images these come many times over, so that
it is no bound on what a training set collected without the shortcut would reach.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from worker.method.baselines.groups import Grouped, numbered
from worker.method.baselines.measured import worst_group_accuracy
from worker.method.baselines.protocol import OPTIMISATIONS, Optimisation, Schedule, Told, Tuned, best_of
from worker.method.baselines.training import train, weighted

TOLD: Told = "groups"
GRID = OPTIMISATIONS


def weights(labels: Tensor, artefacts: Tensor) -> Tensor:
    """P(label) P(artefact) / P(label, artefact) for every image, (N,) float64.

    An artefact that some label never comes with cannot be made independent of it: its images get 0, and the
    probabilities are those of the others. Raises ValueError when no image is left.
    """
    label, artefact = numbered(labels), numbered(artefacts)
    table = torch.zeros(int(label.max()) + 1, int(artefact.max()) + 1, dtype=torch.float64)
    table.index_put_((label, artefact), torch.ones(len(labels), dtype=torch.float64), accumulate=True)
    table *= (table > 0).all(dim=0)
    if not bool(table.any()):
        raise ValueError("Every artefact is missing in some class, so label and artefact cannot be made independent.")
    independent = table.sum(dim=1, keepdim=True) * table.sum(dim=0) / table.sum()
    return (independent / table.clamp(min=1))[label, artefact]


def fit(
    original: nn.Module,
    train_on: Grouped,
    validation: Grouped,
    schedule: Schedule,
    seed: int,
    settings: Optimisation = OPTIMISATIONS[0],
) -> nn.Module:
    """The original, trained further on resampled images. Same seed, same weights. Raises as ``weights`` does."""
    sample = weighted(weights(train_on.labels, train_on.artefacts), schedule.batch_size)
    score = partial(worst_group_accuracy, told=validation)
    return train(original, train_on.data, sample, settings.of(schedule), seed, score=score)


def tuned(
    original: nn.Module,
    train_on: Grouped,
    validation: Grouped,
    schedule: Schedule,
    seed: int,
    grid: Sequence[Optimisation] = GRID,
) -> Tuned[Optimisation]:
    """``fit`` with the settings whose worst group of validation images fares best."""
    return best_of(
        grid,
        lambda settings: fit(original, train_on, validation, schedule, seed, settings),
        partial(worst_group_accuracy, told=validation),
    )
