"""Corrective masks: what stands after review, as the pixels a model must not look at."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import torch
from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor
from torch.nn import functional as F

from app.models import Explanation, Run
from worker.method.masks import corrective_mask
from worker.method.realignment import AlignmentImages
from worker.tasks.inputs import ImageRow, labels_of, load_assignment, pictures, rows_by_id
from worker.tasks.material import Material
from worker.vision.preprocessing import Preprocessing


@dataclass(frozen=True)
class Again:
    """Of an image whose ``row`` is among those of this round, what stands as spurious in another explanation of it."""

    row: int
    assignment: str  # blob
    spurious: tuple[int, ...]


@dataclass(frozen=True)
class Correction:
    """The images of an alignment set with their cluster maps and what stands of their clusters.

    Each image is there once, as the newest round explained it; what earlier ones found on it is in ``again``.
    """

    rows: list[ImageRow]
    assignments: list[str]  # blobs
    spurious: list[tuple[int, ...]]  # cluster numbers
    relevant: list[tuple[int, ...]]
    again: list[Again] = field(default_factory=list)

    def masks(self, size: int) -> Tensor:
        """(A, 1, size, size), 1 on the spurious clusters of every round."""
        masks = self.covering(size, self.spurious)
        for each in self.again:
            before = covered([each.assignment], [each.spurious], size)[0]
            masks[each.row] = torch.maximum(masks[each.row], before)
        return masks

    def covering(self, size: int, numbers: list[tuple[int, ...]]) -> Tensor:
        """(A, 1, size, size), 1 on clusters of these numbers."""
        return covered(self.assignments, numbers, size)

    def with_spurious(self) -> list[int]:
        """Which of the images have a spurious cluster."""
        return sorted({row for row, some in enumerate(self.spurious) if some} | {each.row for each in self.again})

    def every_number(self) -> list[tuple[int, ...]]:
        """Of each image, those of all its clusters."""
        return [tuple(np.unique(load_assignment(blob)).tolist()) for blob in self.assignments]

    def images(self, preprocessing: Preprocessing) -> AlignmentImages:
        return AlignmentImages(pictures(self.rows, preprocessing), labels_of(self.rows), self.masks(preprocessing.size))


def covered(assignments: Sequence[str], numbers: Sequence[tuple[int, ...]], size: int) -> Tensor:
    """(A, 1, size, size), 1 on clusters of these numbers; stretched where another size was explained.

    assignments: blobs of A cluster maps.
    """
    maps = torch.stack([torch.from_numpy(load_assignment(blob).astype("int64")) for blob in assignments])
    chosen = torch.zeros(len(maps), int(maps.max()) + 1, dtype=torch.bool)
    for index, some in enumerate(numbers):
        chosen[index, list(some)] = True
    # Number 0 is the pixels of no cluster, and is never chosen.
    return F.interpolate(corrective_mask(maps - 1, chosen[:, 1:]), size=(size, size), mode="nearest-exact")


def correction_of(session: Session, material: Material) -> Correction:
    """Of all explanations of the material, also of those of which no cluster stands as spurious; this round's first."""
    spurious, relevant = material.earlier | material.spurious, material.relevant
    statement = select(Explanation).join(Run, Run.id == Explanation.run_id).where(Explanation.id.in_(spurious))
    places, kept, again = dict[UUID, int](), list[Explanation](), list[Again]()
    for each in session.scalars(statement.order_by(Run.created_at.desc(), Explanation.position)):
        if each.image_id in places:
            again.append(Again(places[each.image_id], each.assignment, spurious[each.id]))
        else:
            places[each.image_id] = len(kept)
            kept.append(each)
    return Correction(
        rows=rows_by_id(session, [explanation.image_id for explanation in kept]),
        assignments=[explanation.assignment for explanation in kept],
        spurious=[spurious[explanation.id] for explanation in kept],
        relevant=[relevant.get(explanation.id, ()) for explanation in kept],
        again=again,
    )
