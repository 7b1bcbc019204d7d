"""SUBG: plain training on as many images of every group as the smallest group has.

Idrissi et al. 2022, Simple data balancing achieves competitive worst-group-accuracy. It is told the groups of training
and validation images, which we are not. As there, the subset is drawn once, and the epoch and the settings are chosen
by the worst group of the validation images.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from worker.method.baselines.groups import Grouped, members
from worker.method.baselines.measured import worst_group_accuracy
from worker.method.baselines.protocol import OPTIMISATIONS, Optimisation, Schedule, Told, Tuned, best_of
from worker.method.baselines.training import shuffled, train

TOLD: Told = "groups"
GRID = OPTIMISATIONS


def subset(groups: Tensor, generator: torch.Generator) -> Tensor:
    """Indices of equally many images of every group (N,) int64 that occurs, drawn without replacement, ascending."""
    each = members(groups)
    least = min(len(some) for some in each)
    drawn = [some[torch.randperm(len(some), generator=generator)[:least]] for some in each]
    return torch.cat(drawn).sort().values


def fit(
    original: nn.Module,
    train_on: Grouped,
    validation: Grouped,
    schedule: Schedule,
    seed: int,
    settings: Optimisation = OPTIMISATIONS[0],
) -> nn.Module:
    """The original, trained further on the subset. Same seed, same weights."""
    chosen = subset(train_on.groups, torch.Generator().manual_seed(seed))
    sample = shuffled(chosen, schedule.batch_size)
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
