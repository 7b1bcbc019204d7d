"""The pictures behind a figure: explanations of an analysis, or the answers of a report that were wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from app.models import Checkpoint, Explanation, Image, Prediction, Project, Report, Run
from app.models.figures import Group
from app.models.summary import Evidence

PAGE_SIZE = 48
Row = TypeVar("Row")


@dataclass(frozen=True)
class Shown(Generic[Row]):
    """One page of a list that is too long for one."""

    rows: Sequence[Row]
    total: int
    number: int  # from 1

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE_SIZE))


@dataclass(frozen=True)
class Picture:
    """An explanation and the numbers of those of its clusters that a figure is about."""

    explanation: Explanation
    numbers: tuple[int, ...] = ()


def of_class(session: Session, analysis_id: UUID, class_id: UUID, number: int) -> Shown[Picture]:
    """In the order of the alignment set."""
    mine = and_(Explanation.run_id == analysis_id, Image.class_id == class_id)
    matching = select(Explanation).join(Explanation.image).where(mine)
    total = session.scalar(select(func.count()).select_from(matching.with_only_columns(Explanation.id).subquery())) or 0
    rows = session.scalars(
        matching.order_by(Explanation.position)
        .offset((number - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
        .options(contains_eager(Explanation.image))
    )
    return Shown([Picture(row) for row in rows], total, number)


def behind(session: Session, evidence: Sequence[Evidence], number: int) -> Shown[Picture]:
    """Exactly what a figure is about, in its order."""
    wanted = evidence[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    rows = session.scalars(
        select(Explanation)
        .where(Explanation.id.in_([each.explanation_id for each in wanted]))
        .options(joinedload(Explanation.image))
    )
    known = {row.id: row for row in rows}
    return Shown([Picture(known[each.explanation_id], each.numbers) for each in wanted], len(evidence), number)


def with_clusters(session: Session, explanation_id: UUID) -> Explanation | None:
    loaded = [joinedload(Explanation.image), selectinload(Explanation.clusters)]
    return session.get(Explanation, explanation_id, options=loaded)


def wrong_answers(session: Session, report: Report, group: Group, class_id: UUID, number: int) -> Shown[Prediction]:
    """The wrongly answered images of a report's group."""
    inside = [
        func.coalesce(Image.attributes[name].as_string(), "") == value for name, value in group.attributes.items()
    ]
    matching = (
        select(Prediction)
        .join(Prediction.image)
        .where(
            Prediction.run_id == report.run_id,
            Prediction.checkpoint_id == report.checkpoint_id,
            Prediction.correct.is_(False),
            Image.split == report.split,
            Image.class_id == class_id,
            *inside,
        )
    )
    total = session.scalar(select(func.count()).select_from(matching.with_only_columns(Prediction.id).subquery())) or 0
    rows = session.scalars(
        matching.order_by(Image.position)
        .offset((number - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
        .options(contains_eager(Prediction.image))
    )
    return Shown(rows.all(), total, number)


@dataclass(frozen=True)
class Answered:
    """What a checkpoint answered on one picture; explanation_id: of its newest one on it, if it was explained there."""

    prediction: Prediction
    checkpoint: Checkpoint
    explanation_id: UUID | None


def answer(session: Session, project: Project, prediction_id: UUID) -> Answered | None:
    """None where the project has no such one."""
    newest = (
        select(Explanation.id)
        .join(Run, Run.id == Explanation.run_id)
        .where(Explanation.image_id == Prediction.image_id, Explanation.checkpoint_id == Prediction.checkpoint_id)
        .order_by(Run.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    row = session.execute(
        select(Prediction, Checkpoint, newest)
        .join(Checkpoint, Checkpoint.id == Prediction.checkpoint_id)
        .where(Prediction.id == prediction_id, Checkpoint.project_id == project.id)
        .options(joinedload(Prediction.image))
    ).one_or_none()
    return Answered(*row) if row else None
