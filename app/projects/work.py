"""The runs of a project: the one that a step's page has to tell of, and the list of them all."""

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from app.models import Kind, Project, Run, State, User
from app.projects.queries import Step
from app.runs.progress import STEPS
from app.runs.queries import WITHOUT_RESULT

LISTED = 50


def unfinished_run(session: Session, project: Project, step: Step) -> Run | None:
    """What is under way on a step, else the newest of its runs where that one failed or was cancelled.

    Neither a consensus nor a calibration closes a page: while one is under way, or where it failed, what stood before
    stands. An export is told of beside what it gives.
    """
    aside = {Kind.CONSENSUS, Kind.CALIBRATION, Kind.EXPORT}
    kinds = [kind for kind, belongs in STEPS.items() if belongs is step and kind not in aside]
    run = session.scalar(
        select(Run)
        .where(Run.project_id == project.id, Run.kind.in_(kinds))
        .order_by(case((Run.state.in_([State.QUEUED, State.RUNNING]), 0), else_=1), Run.created_at.desc())
        .limit(1)
        .options(*WITHOUT_RESULT)
    )
    return None if run is None or run.state is State.SUCCEEDED else run


def runs_of(session: Session, project: Project) -> list[tuple[Run, str | None]]:
    """The newest, each with the name of who asked for it; without trials, which are many and take seconds."""
    rows = session.execute(
        select(Run, User.display_name)
        .outerjoin(User, User.id == Run.created_by_id)
        .where(Run.project_id == project.id, Run.kind != Kind.TRIAL)
        .order_by(Run.created_at.desc())
        .limit(LISTED)
        .options(*WITHOUT_RESULT)
    )
    return [(run, name) for run, name in rows]
