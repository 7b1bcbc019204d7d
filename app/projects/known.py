"""What is known of projects, in two statements whatever their number: checkpoints, words and runs of the loop."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.check.standing import Standing, proof, standing_by
from app.models import Checkpoint, Decision, Kind, Origin, Project, Run, Specification, State
from app.runs.queries import WITHOUT_RESULT

# Work beside the loop: no step waits for it.
BESIDE = (Kind.TRIAL, Kind.CALIBRATION, Kind.CONSENSUS, Kind.CHECK, Kind.HONEYPOT, Kind.EXPORT)


@dataclass(frozen=True)
class Made:
    """A checkpoint and the newest decision on it; ``approved`` is None where nobody has decided.

    balanced: it was trained with every class shown equally often; not known of one that was brought along.
    """

    checkpoint: Checkpoint
    approved: bool | None
    balanced: bool = False


@dataclass(frozen=True)
class Known:
    """All checkpoints of a project, the newest first, its newest specification, and where its LVLM stands."""

    made: Sequence[Made]
    specification_id: UUID | None
    specified_at: datetime | None
    lvlm: Standing


def known_of(session: Session, projects: Sequence[Project]) -> dict[UUID, Known]:
    """By project, in one statement for them all."""
    approved = (
        select(Decision.approved)
        .where(Decision.checkpoint_id == Checkpoint.id)
        .order_by(Decision.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    balanced = select(Run.parameters["balanced"].as_boolean()).where(Run.id == Checkpoint.run_id).scalar_subquery()
    specification, specified_at = (
        select(column)
        .where(Specification.project_id == Project.id)
        .order_by(Specification.version.desc())
        .limit(1)
        .scalar_subquery()
        for column in (Specification.id, Specification.created_at)
    )
    proven = [column.label(f"proof_{number}") for number, column in enumerate(proof())]
    asked = Project.id.in_([project.id for project in projects])
    # Else a database may look for the proof, in results that are long, once more for every checkpoint.
    written = (specification.label("specification"), specified_at.label("specified_at"))
    once = select(Project.id, *written, *proven).where(asked).cte("of_project")
    told = once.prefix_with("MATERIALIZED").c
    found = session.execute(
        select(told.id, told.specification, told.specified_at, Checkpoint, approved, balanced)
        .add_columns(*(told[column.name] for column in proven))
        .outerjoin(Checkpoint, Checkpoint.project_id == told.id)
        .order_by(Checkpoint.number.desc())
    ).all()
    rows = grouped(found)
    return {
        project.id: Known(
            made=[Made(each[3], each[4], bool(each[5])) for each in mine if each[3] is not None],
            specification_id=mine[0][1],
            specified_at=mine[0][2],
            lvlm=standing_by(project, *mine[0][6:]),
        )
        for project in projects
        if (mine := rows[project.id])  # the outer join leaves one row at least
    }


def grouped(rows: Iterable[Sequence[Any]]) -> dict[UUID, list[Sequence[Any]]]:
    """By their first column, in their order."""
    groups: dict[UUID, list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    return groups


def runs_of_the_loop(session: Session, projects: Sequence[Project]) -> dict[UUID, list[Run]]:
    """Those under way, and the finished steps of the loop, the newest first; without their results, which are long."""
    under_way = and_(Run.state.in_([State.QUEUED, State.RUNNING]), Run.kind.not_in(BESIDE))
    steps = and_(Run.state == State.SUCCEEDED, Run.kind.in_([Kind.ANALYSIS, Kind.CRITIQUE, Kind.REALIGNMENT]))
    found = session.scalars(
        select(Run)
        .where(Run.project_id.in_([project.id for project in projects]), or_(under_way, steps))
        .order_by(Run.created_at.desc())
        .options(*WITHOUT_RESULT)
    )
    runs: dict[UUID, list[Run]] = defaultdict(list)
    for run in found:
        runs[run.project_id].append(run)
    return runs


def newest_run(runs: Sequence[Run], kind: Kind, **parameters: UUID | None) -> Run | None:
    """The newest finished one of that kind with those parameters."""
    wanted = {name: str(value) for name, value in parameters.items()}
    return next(
        (
            run
            for run in runs
            if run.kind is kind
            and run.state is State.SUCCEEDED
            and all(run.parameters.get(name) == value for name, value in wanted.items())
        ),
        None,
    )


def may_be_current(made: Made, explained: Collection[str]) -> bool:
    """The loop starts from the newest given or trained, or realigned and approved since.

    One that nobody has decided on is gone on from, too, where it was explained: a shortcut that took the place of the
    first may be just what keeps it from being approved. explained: ids.
    """
    if made.checkpoint.origin is Origin.REALIGNED:
        return made.approved is True or (made.approved is None and str(made.checkpoint.id) in explained)
    return made.checkpoint.origin in {Origin.IMPORTED, Origin.TRAINED}


def unapproved_rounds(made: Sequence[Made], checkpoint_id: UUID) -> list[Checkpoint]:
    """This checkpoint and those before it that were realigned and that nobody has approved, the newest first.

    made: all checkpoints of the project.
    """
    known, rounds = {each.checkpoint.id: each for each in made}, list[Checkpoint]()
    found = known[checkpoint_id]
    while not may_be_current(found, explained=()) and found.checkpoint.parent_id:
        rounds.append(found.checkpoint)
        found = known[found.checkpoint.parent_id]
    return rounds


def standing_before(made: Sequence[Made], checkpoint_id: UUID) -> Checkpoint | None:
    """What the rounds that nobody has approved began with; None where the checkpoint was given or is approved itself.

    made: all checkpoints of the project.
    """
    rounds = unapproved_rounds(made, checkpoint_id)
    return next((each.checkpoint for each in made if rounds and each.checkpoint.id == rounds[-1].parent_id), None)


def is_explanation(run: Run) -> bool:
    return run.kind is Kind.ANALYSIS and run.state is State.SUCCEEDED
