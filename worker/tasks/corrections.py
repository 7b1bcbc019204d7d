"""Corrective masks: what stands after review, as the pixels a model must not look at."""

from dataclasses import dataclass

import numpy as np
import torch
from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor
from torch.nn import functional as F

from app.models import Explanation
from worker.method.masks import corrective_mask
from worker.method.realignment import AlignmentImages
from worker.tasks.inputs import ImageRow, labels_of, load_assignment, pictures, rows_by_id
from worker.tasks.material import Material
from worker.vision.preprocessing import Preprocessing


@dataclass(frozen=True)
class Correction:
    """The images of an alignment set with their cluster maps and what stands of their clusters."""

    rows: list[ImageRow]
    assignments: list[str]  # blobs
    spurious: list[tuple[int, ...]]  # cluster numbers
    relevant: list[tuple[int, ...]]

    def masks(self, size: int) -> Tensor:
        """(A, 1, size, size), 1 on the spurious clusters."""
        return self.covering(size, self.spurious)

    def covering(self, size: int, numbers: list[tuple[int, ...]]) -> Tensor:
        """(A, 1, size, size), 1 on clusters of these numbers; stretched where another size was explained."""
        maps = torch.stack([torch.from_numpy(load_assignment(blob).astype("int64")) for blob in self.assignments])
        chosen = torch.zeros(len(maps), int(maps.max()) + 1, dtype=torch.bool)
        for index, some in enumerate(numbers):
            chosen[index, list(some)] = True
        # Number 0 is the pixels of no cluster, and is never chosen.
        return F.interpolate(corrective_mask(maps - 1, chosen[:, 1:]), size=(size, size), mode="nearest-exact")

    def every_number(self) -> list[tuple[int, ...]]:
        """Of each image, those of all its clusters."""
        return [tuple(np.unique(load_assignment(blob)).tolist()) for blob in self.assignments]

    def images(self, preprocessing: Preprocessing) -> AlignmentImages:
        return AlignmentImages(pictures(self.rows, preprocessing), labels_of(self.rows), self.masks(preprocessing.size))


def correction_of(session: Session, material: Material) -> Correction:
    """Of all explanations of the material, also of those of which no cluster stands as spurious."""
    spurious, relevant = material.spurious, material.relevant
    statement = select(Explanation).where(Explanation.id.in_(spurious)).order_by(Explanation.position)
    explanations = session.scalars(statement).all()
    return Correction(
        rows=rows_by_id(session, [explanation.image_id for explanation in explanations]),
        assignments=[explanation.assignment for explanation in explanations],
        spurious=[spurious[explanation.id] for explanation in explanations],
        relevant=[relevant.get(explanation.id, ()) for explanation in explanations],
    )
