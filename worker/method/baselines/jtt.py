"""JTT, just train twice: what a briefly trained model gets wrong is shown many times in a second training.

Liu et al. 2021, Just train twice: improving group robustness without training group information, algorithm 1. It is
told nothing but labels. The paper still chooses its settings by the worst group of validation images whose groups it
knows, and shows that this matters much; here they are chosen by the mean accuracy, which needs no groups. The second
training goes on from the original, as that of every rival does, where the paper starts again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from worker.method.baselines.measured import answers, mean_accuracy
from worker.method.baselines.protocol import Schedule, Told, Tuned, best_of
from worker.method.baselines.training import shuffled, train
from worker.method.realignment import Batches

TOLD: Told = "nothing"


@dataclass(frozen=True)
class Settings:
    """identification: how long the first model trains, as part of the schedule's steps; with 0 it stays as it is.

    times: how often an image of the error set is shown, where another is shown once (lambda_up).
    """

    identification: float = 0.1
    times: int = 20


GRID = (
    Settings(0.1, 50),
    Settings(0.1, 20),
    Settings(0.1, 5),
    Settings(0.4, 20),
)


def error_set(model: nn.Module, data: Batches) -> Tensor:
    """Indices, ascending, of the images that the model does not give their label."""
    predicted, labels = answers(model, data)
    return (predicted != labels).nonzero()[:, 0]


def upsampled(count: int, errors: Tensor, times: int) -> Tensor:
    """Indices of ``count`` images, those of the error set ``times`` times."""
    return torch.cat([torch.arange(count), errors.repeat(times - 1)])


def fit(
    original: nn.Module,
    train_on: Batches,
    validation: Batches,
    schedule: Schedule,
    seed: int,
    settings: Settings = GRID[0],
    initial: nn.Module | None = None,
) -> nn.Module:
    """The original, trained further on the upsampled images; the epoch is chosen by the mean validation accuracy.

    initial: where the first model starts, in the paper the network before any training on these images; None takes
        the original, whose errors on its own training images may be few. Without errors this is plain training.
    """
    short = replace(schedule, steps=round(schedule.steps * settings.identification))
    every = torch.arange(len(train_on))
    first = train(original if initial is None else initial, train_on, shuffled(every, schedule.batch_size), short, seed)
    pool = upsampled(len(train_on), error_set(first, train_on), settings.times)
    score = partial(mean_accuracy, data=validation)
    return train(original, train_on, shuffled(pool, schedule.batch_size), schedule, seed, score=score)


def tuned(
    original: nn.Module,
    train_on: Batches,
    validation: Batches,
    schedule: Schedule,
    seed: int,
    grid: Sequence[Settings] = GRID,
    initial: nn.Module | None = None,
) -> Tuned[Settings]:
    """``fit`` with the settings of the highest mean accuracy on validation images."""
    return best_of(
        grid,
        lambda settings: fit(original, train_on, validation, schedule, seed, settings, initial),
        partial(mean_accuracy, data=validation),
    )
