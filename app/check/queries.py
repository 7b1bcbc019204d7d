"""The newest check of a project's LVLM, and how long another would take."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Kind, LVLMCheck, Project, Run, State
from app.models.check_figures import CheckFigures
from app.runs.queries import WITHOUT_RESULT

LISTED = 10


def checks_of(session: Session, project: Project) -> Sequence[LVLMCheck]:
    """Of the LVLM that the project has now, the newest first."""
    mine = (LVLMCheck.project_id == project.id, LVLMCheck.lvlm == project.lvlm)
    return session.scalars(select(LVLMCheck).where(*mine).order_by(LVLMCheck.created_at.desc()).limit(LISTED)).all()


def figures_of(check: LVLMCheck) -> CheckFigures:
    return CheckFigures.model_validate(check.figures)


def seconds_a_picture(session: Session, project: Project) -> float | None:
    """What one planted picture took in the newest check of this LVLM, in any project; None where there was none."""
    newest = select(LVLMCheck).where(LVLMCheck.lvlm == project.lvlm).order_by(LVLMCheck.created_at.desc()).limit(1)
    found = session.scalar(newest)
    return figures_of(found).seconds_a_picture if found else None


def unfinished_check(session: Session, project: Project) -> Run | None:
    """The newest check or planting, where it is under way, failed or was stopped."""
    mine = (Run.project_id == project.id, Run.kind.in_([Kind.CHECK, Kind.HONEYPOT]))
    run = session.scalar(select(Run).where(*mine).order_by(Run.created_at.desc()).limit(1).options(*WITHOUT_RESULT))
    return None if run is None or run.state is State.SUCCEEDED else run
