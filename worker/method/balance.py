"""Training in which a rare class counts as much as a common one.

Where one class in five pictures is rare, a network may answer the common one always and be right on the other four;
what is then aligned is a model that never names the disease. Every class is shown as often as the commonest, its
pictures repeated in turn (oversampling; Buda et al. 2018 found it the best remedy for convolutional networks).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.method.realignment import AlignmentImages, Batches, InMemory


def in_balance(labels: Tensor) -> Tensor:
    """Indices (M,) int64 of the N labelled images, in which every class that there is comes equally often.

    First each image once, in its order, then those of rarer classes again from their first on.
    """
    counts = torch.bincount(labels)
    again = [_again((labels == each).nonzero()[:, 0], int(counts.max())) for each in counts.nonzero()[:, 0]]
    return torch.cat([torch.arange(len(labels)), *again])


def _again(members: Tensor, most: int) -> Tensor:
    return members.repeat(-(-most // len(members)))[len(members) : most]


def shown(images: Tensor, labels: Tensor, *, balanced: bool) -> Batches:
    """Training images (N, C, H, W) and labels (N,), as they are or every class equally often."""
    given = InMemory(images, labels)
    return Repeated(given, in_balance(labels)) if balanced else given


def balanced_alignment(given: AlignmentImages) -> AlignmentImages:
    chosen = in_balance(given.labels)
    return AlignmentImages(given.images[chosen], given.labels[chosen], given.masks[chosen])


@dataclass(frozen=True)
class Repeated:
    """Batches in which some images come more than once, without a second copy of them in memory.

    indices: (M,) int64 into the N images of ``given``.
    """

    given: Batches
    indices: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return self.given.take(self.indices[indices])
