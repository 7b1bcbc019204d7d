"""Groups of images: a label together with an artefact."""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.method.realignment import Batches


@dataclass(frozen=True)
class Grouped:
    """Images of which it is known what they show besides their label.

    labels:    (N,) int64, those that ``data`` gives.
    artefacts: (N,) int64, which artefact an image shows; one number stands for none.
    """

    data: Batches
    labels: Tensor
    artefacts: Tensor

    @property
    def groups(self) -> Tensor:
        """(N,) int64 from 0 without gaps: a group is a label with an artefact, as far as images have it."""
        return numbered(self.labels * (int(self.artefacts.max()) + 1) + self.artefacts)


def numbered(values: Tensor) -> Tensor:
    """For each of (N,) int64 values, its place among those that occur: from 0, ascending, without gaps."""
    places: Tensor = torch.unique(values, return_inverse=True)[1]
    return places


def members(groups: Tensor) -> list[Tensor]:
    """The indices, ascending, of every group that occurs in (N,) int64, the lowest group first."""
    found = [(groups == group).nonzero()[:, 0] for group in range(int(groups.max()) + 1)]
    return [some for some in found if len(some)]


def worst_share(right: Tensor, groups: Tensor) -> float:
    """The share of true values in the group where it is least. right: (N,) bool; groups: (N,) int64."""
    return min(float(right[some].double().mean()) for some in members(groups))
