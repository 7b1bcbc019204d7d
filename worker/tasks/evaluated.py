"""What a run evaluates: which checkpoints, on which splits."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Checkpoint, Kind, Run, Split
from app.runs.parameters import EvaluationParameters
from worker.tasks.inputs import ImageRow, image_rows
from worker.tasks.material import material_of

SPLITS = (Split.VALIDATION, Split.TEST)


@dataclass(frozen=True)
class Evaluated:
    checkpoints: tuple[UUID, ...]
    splits: tuple[Split, ...]

    def pairs(self) -> list[tuple[UUID, Split]]:
        return [(checkpoint, split) for checkpoint in self.checkpoints for split in self.splits]


def evaluated(session: Session, run: Run) -> Evaluated:
    """An evaluation says so itself; any other run evaluates what it made, a realignment its parent besides."""
    if run.kind is Kind.EVALUATION:
        asked = EvaluationParameters.model_validate(run.parameters)
        found = Evaluated(asked.checkpoint_ids, tuple(Split(split) for split in asked.splits))
    else:
        made = session.scalars(select(Checkpoint).where(Checkpoint.run_id == run.id).order_by(Checkpoint.number)).all()
        parents = [] if run.kind is not Kind.REALIGNMENT else [checkpoint.parent_id for checkpoint in made[:1]]
        ids = tuple(id_ for id_ in [*parents, *(checkpoint.id for checkpoint in made)] if id_ is not None)
        found = Evaluated(ids, SPLITS)
    datasets = material_of(run).datasets
    return Evaluated(found.checkpoints, tuple(split for split in found.splits if image_rows(session, datasets, split)))


def items(session: Session, run: Run) -> list[tuple[UUID, ImageRow]]:
    """Every prediction that the run has to make, in order."""
    what, datasets = evaluated(session, run), material_of(run).datasets
    rows = {split: image_rows(session, datasets, split) for split in what.splits}
    return [(checkpoint, row) for checkpoint, split in what.pairs() for row in rows[split]]
