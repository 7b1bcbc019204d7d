"""What every rival is given, and how its own settings are chosen: on validation images, never on test images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from torch import nn

from worker.method.realignment import RealignmentSettings

# What a rival knows besides images and labels: groups of training and validation images; masks of alignment images.
Told = Literal["groups", "masks", "nothing"]
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Schedule:
    """How much a rival may train, and how.

    steps: of the optimiser; the rate decays to zero over them like a cosine.
    looks: how often, evenly spread, a rival that stops early on validation images looks at these.
    """

    steps: int
    batch_size: int = 64
    learning_rate: float = 5e-4
    weight_decay: float = 1e-4
    looks: int = 5

    @classmethod
    def like(cls, settings: RealignmentSettings, images: int) -> "Schedule":
        """As many steps as a realignment with alignment images takes on so many training images, at its own rate."""
        aligned = round(settings.batch_size * settings.alignment_share)
        each = max(1, images // max(1, settings.batch_size - aligned))
        return cls(settings.epochs * each, settings.batch_size, settings.learning_rate, settings.weight_decay)


@dataclass(frozen=True)
class Optimisation:
    """What a rival without settings of its own is tuned in. rate: factor of the schedule's learning rate."""

    rate: float = 1.0
    weight_decay: float = 1e-4

    def of(self, schedule: Schedule) -> Schedule:
        return replace(schedule, learning_rate=schedule.learning_rate * self.rate, weight_decay=self.weight_decay)


# Idrissi et al. 2022 find that the rate and the weight decay are what these rivals have to be tuned in.
OPTIMISATIONS = (Optimisation(), Optimisation(weight_decay=0.1), Optimisation(rate=0.2))


@dataclass(frozen=True)
class Tuned(Generic[Settings]):
    """The model of the best settings, and what every candidate scored, in the order of the grid."""

    model: nn.Module
    settings: Settings
    scores: tuple[float, ...]


def best_of(
    grid: Sequence[Settings], fit: Callable[[Settings], nn.Module], score: Callable[[nn.Module], float]
) -> Tuned[Settings]:
    """Fit with each of the settings and keep the model that scores highest; of equals, the one that comes first.

    Grids put the strongest correction first: where validation images have the shortcut too, they hardly tell rivals
    apart that are told nothing, and a tie is to be in their favour. Raises ValueError when the grid is empty.
    """
    if not grid:
        raise ValueError("There are no settings to choose from.")
    found: list[float] = []
    kept: nn.Module | None = None
    for settings in grid:
        model = fit(settings)
        found.append(score(model))
        if kept is None or found[-1] > max(found[:-1]):
            kept = model
    assert kept is not None
    return Tuned(kept, grid[found.index(max(found))], tuple(found))
