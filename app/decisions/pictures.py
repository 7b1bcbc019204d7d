"""One picture before and after, large, and which pictures both checkpoints were explained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, false, or_, select
from sqlalchemy.orm import Session, aliased, contains_eager, selectinload

from app.decisions.queries import Comparison
from app.models import Checkpoint, Dataset, Explanation, Image, Prediction, Project, Report, Run

EXPLAINED = 48  # on a page


@dataclass(frozen=True)
class Side:
    """The picture under one of the two checkpoints: its answer and its regions, where they are known."""

    name: str  # before or after
    checkpoint: Checkpoint
    prediction: Prediction | None
    explanation: Explanation | None


def image_of(session: Session, project: Project, image_id: UUID) -> Image | None:
    mine = and_(Image.id == image_id, Dataset.project_id == project.id)
    return session.scalar(select(Image).join(Dataset, Dataset.id == Image.dataset_id).where(mine))


def sides(session: Session, comparison: Comparison, image: Image) -> list[Side]:
    """Before, then after; the answers are those of the compared reports, the regions those of the newest analyses."""
    family = [comparison.before, comparison.after]
    measured = [comparison.measured_before, comparison.measured_after]
    answers = predictions(session, image, [each.report for each in measured if each is not None])
    explained = explanations(session, image, family)
    return [
        Side(name, checkpoint, answers.get(checkpoint.id), explained.get(checkpoint.id))
        for name, checkpoint in zip(("before", "after"), family, strict=True)
    ]


def predictions(session: Session, image: Image, reports: Sequence[Report]) -> dict[UUID, Prediction]:
    """By checkpoint."""
    measured = [
        and_(Prediction.checkpoint_id == report.checkpoint_id, Prediction.run_id == report.run_id) for report in reports
    ]
    rows = session.scalars(select(Prediction).where(Prediction.image_id == image.id, or_(false(), *measured)))
    return {row.checkpoint_id: row for row in rows}


def explanations(session: Session, image: Image, checkpoints: Sequence[Checkpoint]) -> dict[UUID, Explanation]:
    """The newest ones, by checkpoint."""
    rows = session.scalars(
        select(Explanation)
        .join(Run, Run.id == Explanation.run_id)
        .where(Explanation.image_id == image.id, Explanation.checkpoint_id.in_([each.id for each in checkpoints]))
        .order_by(Run.created_at)
        .options(selectinload(Explanation.clusters))
    )
    return {row.checkpoint_id: row for row in rows}


def explained_pairs(
    session: Session, comparison: Comparison, limit: int = EXPLAINED
) -> list[tuple[Explanation, Explanation]]:
    """The same images explained before and after, each once."""
    before, after = aliased(Explanation), aliased(Explanation)
    rows = session.execute(
        select(before, after)
        .join(after, after.image_id == before.image_id)
        .join(Image, Image.id == before.image_id)
        .where(before.checkpoint_id == comparison.before.id, after.checkpoint_id == comparison.after.id)
        .order_by(Image.position, before.run_id, after.run_id)
        .options(contains_eager(before.image))
        .limit(limit)
    )
    return list({was.image_id: (was, now) for was, now in rows}.values())
