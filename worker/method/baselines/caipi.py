"""CAIPI: copies of an image with its spurious region changed and its label kept join the training images.

Teso & Kersting 2019, Explanatory interactive machine learning (algorithm 1, counterexamples); on pictures Schramowski
et al. 2020, Making deep neural networks right for the right scientific reasons. It is told the masks of the alignment
images, as our own method is, and nothing of groups: the settings are chosen by the mean validation accuracy, and the
last step's model is taken, since the papers have no early stopping.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from worker.method import counterfactual
from worker.method.baselines.measured import mean_accuracy
from worker.method.baselines.protocol import Schedule, Told, Tuned, best_of
from worker.method.baselines.training import shuffled, train
from worker.method.realignment import AlignmentImages, Batches, InMemory

TOLD: Told = "masks"
# What stands in the region of a copy: random values, another alignment image's, or its surroundings.
Fill = Literal["random", "swap", "inpaint"]


@dataclass(frozen=True)
class Settings:
    """copies: counterexamples of each alignment image that has a masked region (c in the paper)."""

    copies: int = 5
    fill: Fill = "random"


GRID = (
    Settings(5, "random"),
    Settings(5, "swap"),
    Settings(5, "inpaint"),
    Settings(1, "random"),
)


@dataclass(frozen=True)
class _Joined:
    """The training images, and the counterexamples after them."""

    first: Batches
    then: InMemory

    def __len__(self) -> int:
        return len(self.first) + len(self.then)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        old = indices < len(self.first)
        parts = list(self._parts(indices, old))
        images, labels = (torch.cat(kind) for kind in zip(*parts, strict=True))
        back = torch.cat([old.nonzero()[:, 0], (~old).nonzero()[:, 0]]).argsort()
        return images[back], labels[back]

    def _parts(self, indices: Tensor, old: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        if bool(old.any()):
            yield self.first.take(indices[old])
        if not bool(old.all()):
            yield self.then.take(indices[~old] - len(self.first))


def counterexamples(alignment: AlignmentImages, settings: Settings, generator: torch.Generator) -> InMemory:
    """The copies, (copies x those with a region, C, H, W), with their labels; outside the masks they are the images.

    Random values lie between a channel's least and greatest value in the alignment images.
    """
    has_region = alignment.masks.flatten(1).any(dim=1).nonzero()[:, 0]
    chosen = has_region.repeat(settings.copies)
    images, masks = alignment.images[chosen], alignment.masks[chosen]
    return InMemory(_filled(images, masks, alignment, settings.fill, generator), alignment.labels[chosen])


def _filled(
    images: Tensor, masks: Tensor, alignment: AlignmentImages, fill: Fill, generator: torch.Generator
) -> Tensor:
    if fill == "inpaint":
        return counterfactual.inpaint(images, masks)
    if fill == "swap":
        donors = torch.randint(len(alignment.images), (len(images),), generator=generator)
        return counterfactual.fill(images, masks, alignment.images[donors])
    least, most = (kind(alignment.images, dim=(0, 2, 3), keepdim=True) for kind in (torch.amin, torch.amax))
    noise = torch.rand(images.shape, generator=generator, dtype=images.dtype)
    return counterfactual.fill(images, masks, least + (most - least) * noise)


def fit(
    original: nn.Module,
    train_on: Batches,
    validation: Batches,
    schedule: Schedule,
    seed: int,
    settings: Settings = GRID[0],
    *,
    alignment: AlignmentImages,
) -> nn.Module:
    """The original, trained further on training images and counterexamples. Same seed, same weights."""
    del validation
    added = counterexamples(alignment, settings, torch.Generator().manual_seed(seed))
    data = _Joined(train_on, added)
    return train(original, data, shuffled(torch.arange(len(data)), schedule.batch_size), schedule, seed)


def tuned(
    original: nn.Module,
    train_on: Batches,
    validation: Batches,
    schedule: Schedule,
    seed: int,
    grid: Sequence[Settings] = GRID,
    *,
    alignment: AlignmentImages,
) -> Tuned[Settings]:
    """``fit`` with the settings of the highest mean accuracy on validation images."""
    return best_of(
        grid,
        lambda settings: fit(original, train_on, validation, schedule, seed, settings, alignment=alignment),
        partial(mean_accuracy, data=validation),
    )
