"""The pictures that go into a realignment, how long one takes, and what earlier ones gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, case, distinct, exists, func, select
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from app.decisions import acceptance
from app.decisions.queries import Measured, Reports, earlier, guard_in, reports_of
from app.models import Checkpoint, Epoch, Explanation, Kind, Origin, Project, Run, State, VerdictValue
from app.models.guard_record import KEY as GUARD
from app.models.guard_record import GuardRecord
from app.models.trust_record import KEY as TRUST
from app.models.trust_record import TrustRecord
from app.projects.known import Made, standing_before, unapproved_rounds
from app.realignment.ingredients import ingredients_after, ingredients_before
from app.review.standing import newest_consensus, standings
from app.review.standing_rows import silent_rows, spoken_rows
from app.runs.parameters import RealignmentParameters
from app.runs.queries import WITHOUT_RESULT
from app.trust.lock import record_in

EARLIER = 10


@dataclass(frozen=True)
class Outcome:
    """A finished realignment and its measured checkpoint."""

    run: Run
    parameters: RealignmentParameters
    checkpoint: Checkpoint
    before: Measured | None
    after: Measured | None
    guard: GuardRecord | None
    earlier: acceptance.Earlier | None
    trust: TrustRecord | None

    @property
    def lines(self) -> list[acceptance.Line]:
        if self.before is None or self.after is None:
            return []
        bar, before, after = self.parameters.bar, self.before.figures, self.after.figures
        owed = acceptance.Owed.of([self.guard] if self.guard else [], bar.owed_at_most)
        return acceptance.lines(bar, before, after, owed, self.earlier)

    @property
    def keeps(self) -> bool:
        """Whether the epoch met the bar while it was trained."""
        return self.guard is None or self.guard.keeps


@dataclass(frozen=True)
class Past:
    """A realignment, whatever its state, and how long one of its epochs took, where that was counted."""

    run: Run
    trust: TrustRecord | None
    guard: GuardRecord | None
    seconds_an_epoch: float | None


def past_of(session: Session, project: Project) -> list[Past]:
    """The newest first."""
    rows = session.execute(
        select(Run, Run.result[TRUST], Run.result[GUARD], func.avg(Epoch.figures["seconds"].as_float()))
        .outerjoin(Epoch, Epoch.run_id == Run.id)
        .where(Run.project_id == project.id, Run.kind == Kind.REALIGNMENT)
        .group_by(Run.id)
        .order_by(Run.created_at.desc())
        .limit(EARLIER)
        .options(*WITHOUT_RESULT)
    )
    return [Past(run, record_in(trust), guard_in(guard), seconds) for run, trust, guard, seconds in rows]


def seconds_an_epoch(past: Sequence[Past]) -> float | None:
    """Of the newest that tells; None where there is none to go by."""
    return next((each.seconds_an_epoch for each in past if each.seconds_an_epoch), None)


def outcomes_of(session: Session, past: Sequence[Past], made: Sequence[Made]) -> list[Outcome]:
    """What those that succeeded gave. made: all checkpoints of the project, the newest first."""
    finished = {each.run.id: each for each in past if each.run.state is State.SUCCEEDED}
    if not finished:
        return []
    realigned = [each.checkpoint for each in made if each.checkpoint.origin is Origin.REALIGNED]
    mine = [each for each in realigned if each.run_id in finished]
    standing = {each.id: standing_before(made, each.parent_id) for each in mine if each.parent_id}
    wanted = {each.id for each in mine} | {each.parent_id for each in mine if each.parent_id}
    reports = reports_of(session, [*wanted, *(each.id for each in standing.values() if each)])
    guards = {each.id: guards_since(finished, made, each) for each in mine}
    return [outcome(finished, each, standing[each.id], guards[each.id], reports) for each in mine]


def guards_since(past: dict[UUID, Past], made: Sequence[Made], checkpoint: Checkpoint) -> list[GuardRecord]:
    """Of its training and of those since what was given or approved, as far as they are among the past ones."""
    assert checkpoint.parent_id is not None
    rounds = [checkpoint, *unapproved_rounds(made, checkpoint.parent_id)]
    found = [past[each.run_id].guard for each in rounds if each.run_id in past]
    return [each for each in found if each]


def outcome(
    past: dict[UUID, Past],
    checkpoint: Checkpoint,
    standing: Checkpoint | None,
    guards: Sequence[GuardRecord],
    reports: Reports,
) -> Outcome:
    assert checkpoint.run_id is not None
    assert checkpoint.parent_id is not None
    mine = past[checkpoint.run_id]
    split, run_id = reports.of_both(checkpoint.parent_id, checkpoint.id)
    parameters = RealignmentParameters.model_validate(mine.run.parameters)
    return Outcome(
        mine.run,
        parameters,
        checkpoint,
        reports.measured(checkpoint.parent_id, split, run_id),
        reports.measured(checkpoint.id, split, run_id),
        mine.guard,
        earlier(standing, reports.measured(standing.id, split, run_id) if standing else None, guards, parameters.bar),
        mine.trust,
    )


@dataclass(frozen=True)
class Corrected:
    """A picture that goes in, with the numbers of its regions that stand as spurious."""

    explanation: Explanation
    spurious: list[int]


def corrected_pictures(
    session: Session, critique: Run, first: int, count: int, closed: frozenset[UUID] = frozenset()
) -> tuple[list[Corrected], int]:
    """Some of the pictures with a spurious region, in the order of the alignment set, and how many there are.

    closed: clusters of which people's word is not to be told, as in ``standings``.
    """
    consensus = session.scalar(select(newest_consensus(critique.id)))
    silent, spoken = silent_rows(critique, consensus).subquery().c, spoken_rows(critique, consensus, closed).cte().c
    stands = case(
        (Explanation.id.not_in(select(spoken.explanation_id)), is_spurious(silent)),
        else_=Explanation.id.in_(select(spoken.explanation_id).where(spoken.value == VerdictValue.SPURIOUS)),
    )
    new, old = (how_many(spoken.explanation_id, value) for value in (spoken.value, spoken.silent_value))
    rows = session.execute(
        select(Explanation, new - old)
        .where(Explanation.run_id == UUID(critique.parameters["analysis_id"]), stands)
        .order_by(Explanation.position)
        .offset(first)
        .limit(count)
        .options(joinedload(Explanation.image))
    ).all()
    numbers: dict[UUID, list[int]] = {row.id: [] for row, _ in rows}
    for standing in standings(session, critique.id, closed, pictures=numbers.keys()):
        if standing.value is VerdictValue.SPURIOUS:
            numbers[standing.explanation_id].append(standing.number)
    if not rows:  # nor does any tell how many there are
        return [], ingredients_after(session, critique, consensus, closed).with_spurious
    total = ingredients_before(session, critique, consensus).with_spurious + rows[0][1]
    return [Corrected(row, numbers[row.id]) for row, _ in rows], total


def how_many(explanation_id: ColumnElement[UUID], value: ColumnElement[VerdictValue]) -> ScalarSelect[int]:
    """Pictures that people spoke of, with a spurious region."""
    return select(func.count(distinct(explanation_id))).where(value == VerdictValue.SPURIOUS).scalar_subquery()


def is_spurious(rows: ReadOnlyColumnCollection[str, Any]) -> ColumnElement[bool]:
    """Whether one of the rows of an explanation is; looked for picture by picture, as a page shows few."""
    return exists().where(rows.explanation_id == Explanation.id, rows.value == VerdictValue.SPURIOUS)
