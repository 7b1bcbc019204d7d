"""What a run evaluates: which checkpoints, on which splits, with which critique's corrective masks."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Checkpoint, Kind, Run, Split
from app.runs.parameters import EvaluationParameters, RealignmentParameters
from worker.tasks.inputs import ImageRow, image_rows

SPLITS = (Split.VALIDATION, Split.TEST)


@dataclass(frozen=True)
class Evaluated:
    checkpoints: tuple[UUID, ...]
    splits: tuple[Split, ...]
    critique_id: UUID | None

    def pairs(self) -> list[tuple[UUID, Split]]:
        return [(checkpoint, split) for checkpoint in self.checkpoints for split in self.splits]


def evaluated(session: Session, run: Run) -> Evaluated:
    """An evaluation says so itself; any other run evaluates what it made, a realignment its parent besides."""
    if run.kind is Kind.EVALUATION:
        asked = EvaluationParameters.model_validate(run.parameters)
        found = Evaluated(asked.checkpoint_ids, tuple(Split(split) for split in asked.splits), asked.critique_id)
    else:
        made = session.scalars(select(Checkpoint).where(Checkpoint.run_id == run.id).order_by(Checkpoint.number)).all()
        parents = [] if run.kind is not Kind.REALIGNMENT else [checkpoint.parent_id for checkpoint in made[:1]]
        ids = tuple(id_ for id_ in [*parents, *(checkpoint.id for checkpoint in made)] if id_ is not None)
        critique = (
            RealignmentParameters.model_validate(run.parameters).critique_id if run.kind is Kind.REALIGNMENT else None
        )
        found = Evaluated(ids, SPLITS, critique)
    filled = tuple(split for split in found.splits if image_rows(session, run.project_id, split))
    return Evaluated(found.checkpoints, filled, found.critique_id)


def items(session: Session, run: Run) -> list[tuple[UUID, ImageRow]]:
    """Every prediction that the run has to make, in order."""
    what = evaluated(session, run)
    rows = {split: image_rows(session, run.project_id, split) for split in what.splits}
    return [(checkpoint, row) for checkpoint, split in what.pairs() for row in rows[split]]
