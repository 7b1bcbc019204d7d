"""What goes into a realignment, how long one takes, and what earlier ones gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true, union_all
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import SQLCoreOperations

from app.decisions import acceptance
from app.decisions.queries import Measured, newest_reports
from app.models import Checkpoint, Epoch, Explanation, Kind, Origin, Project, Run, Source, Split, State, VerdictValue
from app.models.trust_record import TrustRecord
from app.review.standing import newest_consensus, standings
from app.review.standing_rows import Rows, standing_rows
from app.runs.parameters import RealignmentParameters
from app.trust.lock import record_of

EARLIER = 10
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


@dataclass(frozen=True)
class Outcome:
    """A finished realignment and its measured checkpoint."""

    run: Run
    parameters: RealignmentParameters
    checkpoint: Checkpoint
    before: Measured | None
    after: Measured | None
    trust: TrustRecord | None

    @property
    def lines(self) -> list[acceptance.Line]:
        if self.before is None or self.after is None:
            return []
        return acceptance.lines(self.parameters.bar, self.before.figures, self.after.figures)


def ingredients_of(session: Session, critique: Run) -> Ingredients:
    """Counted where the verdicts lie: there may be hundreds of thousands."""
    silent, spoken = newest_rows(session, critique)
    # A picture of which people spoke in part counts once: with its other clusters.
    known = silent.subquery().c
    rows = session.execute(union_all(counted(silent), counted(spoken, known))).all()
    return Ingredients(*(int(sum(column)) for column in zip(*rows, strict=True)))


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


def newest_rows(session: Session, critique: Run) -> tuple[Rows, Rows]:
    return standing_rows(critique, session.scalar(select(newest_consensus(critique.id))))


def seconds_an_epoch(session: Session, project: Project) -> float | None:
    """Of the newest realignment that kept more than one epoch; None where there is none to go by."""
    row = session.execute(
        select(func.min(Epoch.created_at), func.max(Epoch.created_at), func.count())
        .join(Run, Run.id == Epoch.run_id)
        .where(Run.project_id == project.id, Run.kind == Kind.REALIGNMENT)
        .group_by(Run.id)
        .having(func.count() > 1)
        .order_by(func.max(Epoch.created_at).desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    first, last, epochs = row
    seconds = float((last - first).total_seconds() / (epochs - 1))
    return seconds or None  # epochs that were written together say nothing of their time


def runs_of(session: Session, project: Project) -> Sequence[Run]:
    """The newest first, whatever their state."""
    return session.scalars(
        select(Run)
        .where(Run.project_id == project.id, Run.kind == Kind.REALIGNMENT)
        .order_by(Run.created_at.desc())
        .limit(EARLIER)
    ).all()


def outcomes_of(session: Session, runs: Sequence[Run]) -> list[Outcome]:
    """What the runs that succeeded gave."""
    finished = {run.id: run for run in runs if run.state is State.SUCCEEDED}
    if not finished:
        return []
    made = session.scalars(
        select(Checkpoint)
        .where(Checkpoint.run_id.in_(finished), Checkpoint.origin == Origin.REALIGNED)
        .order_by(Checkpoint.number.desc())
    ).all()
    ids = {each.id for each in made} | {each.parent_id for each in made if each.parent_id}
    reports = newest_reports(session, list(ids))
    return [outcome(finished, checkpoint, reports) for checkpoint in made]


def outcome(runs: dict[UUID, Run], checkpoint: Checkpoint, reports: dict[tuple[UUID, Split], Measured]) -> Outcome:
    assert checkpoint.run_id is not None
    assert checkpoint.parent_id is not None
    run = runs[checkpoint.run_id]
    split = Split.TEST if (checkpoint.id, Split.TEST) in reports else Split.VALIDATION
    return Outcome(
        run,
        RealignmentParameters.model_validate(run.parameters),
        checkpoint,
        reports.get((checkpoint.parent_id, split)),
        reports.get((checkpoint.id, split)),
        record_of(run),
    )


@dataclass(frozen=True)
class Corrected:
    """A picture that goes in, with the numbers of its regions that stand as spurious."""

    explanation: Explanation
    spurious: list[int]


def corrected_pictures(session: Session, critique: Run, first: int, count: int) -> tuple[list[Corrected], int]:
    """Some of the pictures with a spurious region, in the order of the alignment set, and how many there are."""
    silent, spoken = (rows.subquery().c for rows in newest_rows(session, critique))
    is_silent = silent.value == VerdictValue.SPURIOUS
    of_spoken = select(spoken.explanation_id).where(spoken.value == VerdictValue.SPURIOUS).distinct()
    more = of_spoken.where(~is_in(silent, spoken.explanation_id, is_silent))
    totals = (
        select(func.count().label("pictures")).select_from(each.subquery())
        for each in (select(silent.explanation_id).where(is_silent).distinct(), more)
    )
    total = sum(session.scalars(union_all(*totals)))
    shown = session.scalars(
        select(Explanation)
        .where(
            Explanation.run_id == UUID(critique.parameters["analysis_id"]),
            or_(is_in(silent, Explanation.id, is_silent), Explanation.id.in_(of_spoken)),
        )
        .order_by(Explanation.position)
        .offset(first)
        .limit(count)
        .options(joinedload(Explanation.image))
    ).all()
    numbers: dict[UUID, list[int]] = {row.id: [] for row in shown}
    for standing in standings(session, critique.id, pictures=numbers.keys()):
        if standing.value is VerdictValue.SPURIOUS:
            numbers[standing.explanation_id].append(standing.number)
    return [Corrected(row, numbers[row.id]) for row in shown], total
