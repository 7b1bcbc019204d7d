"""What goes into a realignment: what stands after review, counted."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, select, true, union_all
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import SQLCoreOperations

from app.models import Run, Source, VerdictValue
from app.review.standing import newest_consensus
from app.review.standing_rows import Rows, standing_rows

Columns = ReadOnlyColumnCollection[str, Any]


@dataclass(frozen=True)
class Ingredients:
    """What stands after review; uncertain clusters stay out."""

    pictures: int
    with_spurious: int
    spurious: int
    relevant: int
    uncertain: int
    by_people: int
    by_similar: int  # follow the regions that look like them

    @property
    def clusters(self) -> int:
        return self.spurious + self.relevant + self.uncertain


def ingredients_of(session: Session, critique: Run, closed: Collection[UUID] = frozenset()) -> Ingredients:
    """closed: clusters of which people's word is not to be told, as in ``standings``."""
    return counted_up(session, newest_rows(session, critique, closed))


def ingredients_after(session: Session, critique: Run, consensus: UUID | None) -> Ingredients:
    """consensus: the newest one done."""
    return counted_up(session, standing_rows(critique, consensus))


def counted_up(session: Session, rows: tuple[Rows, Rows]) -> Ingredients:
    """rows: of ``standing_rows``. Counted where the verdicts lie: there may be hundreds of thousands."""
    silent, spoken = rows
    # A picture of which people spoke in part counts once: with its other clusters.
    known = silent.subquery().c
    found = session.execute(union_all(counted(silent), counted(spoken, known))).all()
    return Ingredients(*(int(sum(column)) for column in zip(*found, strict=True)))


def counted(rows: Rows, known: Columns | None = None) -> Select[int, *tuple[int, ...]]:
    """As ``Ingredients``; known: clusters whose pictures are counted elsewhere."""
    each = rows.subquery().c
    conditions = {value.value: each.value == value for value in VerdictValue}
    conditions |= {"by_people": each.source == Source.REVIEW, "by_similar": each.source == Source.PROBE}
    numbers = (func.count().filter(condition).label(name) for name, condition in conditions.items())
    picture = select(each.explanation_id, *numbers).group_by(each.explanation_id).subquery().c
    new: list[ColumnElement[bool]] = [true()]
    spurious: list[ColumnElement[bool]] = [picture.spurious > 0]
    if known is not None:
        new.append(~is_in(known, picture.explanation_id))
        spurious.append(~is_in(known, picture.explanation_id, known.value == VerdictValue.SPURIOUS))
    sums = (func.coalesce(func.sum(picture[name]), 0) for name in conditions)
    return select(func.count().filter(and_(*new)), func.count().filter(and_(*spurious)), *sums)


def is_in(known: Columns, explanation_id: SQLCoreOperations[UUID], *which: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(known.explanation_id == explanation_id, *which)


def newest_rows(session: Session, critique: Run, closed: Collection[UUID]) -> tuple[Rows, Rows]:
    return standing_rows(critique, session.scalar(select(newest_consensus(critique.id))), closed)
