"""What goes into a realignment, how long one takes, and what earlier ones gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.decisions import acceptance
from app.decisions.queries import Measured, newest_reports
from app.models import Checkpoint, Epoch, Explanation, Kind, Origin, Project, Run, Source, Split, State, VerdictValue
from app.models.trust_record import TrustRecord
from app.review.standing import Standing, standings
from app.runs.parameters import RealignmentParameters
from app.trust.lock import record_of

EARLIER = 10


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


def ingredients_of(found: Sequence[Standing]) -> Ingredients:
    def how_many(value: VerdictValue) -> int:
        return sum(each.value is value for each in found)

    return Ingredients(
        pictures=len({each.explanation_id for each in found}),
        with_spurious=len({each.explanation_id for each in found if each.value is VerdictValue.SPURIOUS}),
        spurious=how_many(VerdictValue.SPURIOUS),
        relevant=how_many(VerdictValue.RELEVANT),
        uncertain=how_many(VerdictValue.UNCERTAIN),
        by_people=sum(each.reviewed for each in found),
        by_similar=sum(each.source is Source.PROBE for each in found),
    )


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
    numbers: dict[UUID, list[int]] = {}
    for standing in standings(session, critique.id):
        if standing.value is VerdictValue.SPURIOUS:
            numbers.setdefault(standing.explanation_id, []).append(standing.number)
    shown = list(numbers)[first : first + count]
    rows = session.scalars(
        select(Explanation)
        .where(Explanation.id.in_(shown))
        .order_by(Explanation.position)
        .options(joinedload(Explanation.image))
    )
    return [Corrected(row, numbers[row.id]) for row in rows], len(numbers)
