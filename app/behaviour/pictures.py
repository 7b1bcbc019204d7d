"""The pictures behind a figure: explanations of an analysis, or the answers of a report that were wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, contains_eager

from app.models import Cluster, Explanation, Image, Prediction, Report, Run
from app.models.figures import Group

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
class Filter:
    """Which explanations of an analysis; all that is given has to hold."""

    class_id: UUID | None = None
    words: str = ""
    place: str = ""
    ids: tuple[UUID, ...] | None = None


def explanations(session: Session, analysis_id: UUID, wanted: Filter, number: int) -> Shown[Explanation]:
    """In the order of the alignment set."""
    condition = and_(Explanation.run_id == analysis_id, *conditions(wanted))
    matching = select(Explanation).join(Explanation.image).where(condition)
    total = session.scalar(select(func.count()).select_from(matching.with_only_columns(Explanation.id).subquery())) or 0
    rows = session.scalars(
        matching.order_by(Explanation.position)
        .offset((number - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
        .options(contains_eager(Explanation.image))
    )
    return Shown(rows.all(), total, number)


def conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.class_id is not None:
        found.append(Image.class_id == wanted.class_id)
    if wanted.ids is not None:
        found.append(Explanation.id.in_(wanted.ids))
    if wanted.words:
        found.append(Explanation.clusters.any(Cluster.words == wanted.words))
    if wanted.place:
        found.append(Explanation.clusters.any(and_(Cluster.place == wanted.place, Cluster.words == "")))
    return found


def sentence_figure(analysis: Run, class_id: UUID, sentence: int, part: int) -> tuple[str, tuple[UUID, ...]] | None:
    """The words of a figure in an analysis's summary, and the explanations behind it; None where there is no such."""
    try:
        found = analysis.result["summaries"][str(class_id)][sentence]["parts"][part]
    except (KeyError, IndexError):
        return None
    ids = found.get("images")
    return (found["text"], tuple(UUID(identifier) for identifier in ids)) if ids else None


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
