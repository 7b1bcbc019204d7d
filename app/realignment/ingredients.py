"""What goes into a realignment: what stands after review, counted."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from app.finished import counted_once
from app.models import Run, Source, VerdictValue
from app.review.standing import newest_consensus
from app.review.standing_rows import silent_rows, spoken_rows

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
    return ingredients_after(session, critique, session.scalar(select(newest_consensus(critique.id))), closed)


def ingredients_after(
    session: Session, critique: Run, consensus: UUID | None, closed: Collection[UUID] = frozenset()
) -> Ingredients:
    """consensus: the newest one done. Counted where the verdicts lie: there may be hundreds of thousands."""
    # Every number is a sum over pictures, so that only those that people spoke of are counted anew.
    silent, spoken = silent_rows(critique, consensus), spoken_rows(critique, consensus, closed)
    whole, found = counted_once(
        session, critique, ("ingredients", consensus), counts(silent, ""), counts(spoken, "silent_", "")
    )
    instead, stand = found[: len(whole)], found[len(whole) :]
    # A sum of sums may come as a Decimal.
    return Ingredients(*(int(every - old + new) for every, old, new in zip(whole, instead, stand, strict=True)))


def ingredients_before(session: Session, critique: Run, consensus: UUID | None) -> Ingredients:
    """As if nobody had answered."""
    whole, _ = counted_once(session, critique, ("ingredients", consensus), counts(silent_rows(critique, consensus), ""))
    return Ingredients(*map(int, whole))


def counts(rows: Select[*tuple[Any, ...]], *sides: str) -> Select[*tuple[int, ...]]:
    """The numbers of ``Ingredients`` for each side: what its name begins the columns ``value`` and ``source`` with."""
    each = rows.subquery().c
    numbers = [
        func.count().filter(condition).label(f"{side}{name}")
        for side in sides
        for name, condition in conditions(each, side).items()
    ]
    picture = select(each.explanation_id, *numbers).group_by(each.explanation_id).subquery().c
    asked: list[ColumnElement[int]] = []
    for side in sides:
        columns = [picture[f"{side}{name}"] for name in conditions(each, side)]
        asked += [func.count(), func.count().filter(picture[f"{side}{VerdictValue.SPURIOUS}"] > 0)]
        asked += [func.coalesce(func.sum(column), 0) for column in columns]
    return select(*asked)


def conditions(each: Columns, side: str) -> dict[str, ColumnElement[bool]]:
    """On rows of clusters, in the order of ``Ingredients``."""
    value, source = each[f"{side}value"], each[f"{side}source"]
    by = {"by_people": source == Source.REVIEW, "by_similar": source == Source.PROBE}
    return {word.value: value == word for word in VerdictValue} | by
