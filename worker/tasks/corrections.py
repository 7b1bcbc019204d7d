"""Corrective masks: what stands after review, as the pixels a model must not look at."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import torch
from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor

from app.models import Explanation, VerdictValue
from app.review.standing import standings
from worker.method.masks import corrective_mask
from worker.method.realignment import AlignmentImages
from worker.tasks.inputs import ImageRow, labels_of, load_assignment, pictures, rows_by_id
from worker.vision.preprocessing import Preprocessing


@dataclass(frozen=True)
class Correction:
    """The images of an alignment set with their cluster maps and which clusters stand as spurious."""

    rows: list[ImageRow]
    assignments: list[str]  # blobs
    spurious: list[frozenset[int]]  # cluster numbers
    relevant: list[frozenset[int]]

    def masks(self, kind: str = "spurious") -> Tensor:
        """(A, 1, H, W), 1 on the clusters of that kind, in the size of the checkpoint that was explained."""
        numbers: list[frozenset[int]] = getattr(self, kind)
        maps = torch.stack([torch.from_numpy(load_assignment(blob).astype("int64")) for blob in self.assignments])
        chosen = torch.zeros(len(maps), int(maps.max()) + 1, dtype=torch.bool)
        for index, some in enumerate(numbers):
            chosen[index, list(some)] = True
        # Number 0 is the pixels of no cluster, and is never chosen.
        return corrective_mask(maps - 1, chosen[:, 1:])

    def images(self, preprocessing: Preprocessing) -> AlignmentImages:
        return AlignmentImages(pictures(self.rows, preprocessing), labels_of(self.rows), self.masks())


def correction_of(session: Session, critique_id: UUID) -> Correction:
    spurious: dict[UUID, set[int]] = {}
    relevant: dict[UUID, set[int]] = {}
    for standing in standings(session, critique_id):
        spurious.setdefault(standing.explanation_id, set())
        relevant.setdefault(standing.explanation_id, set())
        if standing.value is VerdictValue.SPURIOUS:
            spurious[standing.explanation_id].add(standing.number)
        elif standing.value is VerdictValue.RELEVANT:
            relevant[standing.explanation_id].add(standing.number)
    statement: Any = select(Explanation).where(Explanation.id.in_(list(spurious))).order_by(Explanation.position)
    explanations = list(session.scalars(statement))
    return Correction(
        rows=rows_by_id(session, [explanation.image_id for explanation in explanations]),
        assignments=[explanation.assignment for explanation in explanations],
        spurious=[frozenset(spurious[explanation.id]) for explanation in explanations],
        relevant=[frozenset(relevant[explanation.id]) for explanation in explanations],
    )
