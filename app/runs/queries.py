from collections.abc import Sequence
from uuid import UUID

from fastapi import HTTPException
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from app.models import Epoch, Kind, Run


def find_run(session: Session, run_id: UUID) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise HTTPException(
            404, "There is no such piece of work: its project was removed, or the address is not complete."
        )
    return run


def epochs_of(session: Session, run: Run) -> Sequence[Epoch]:
    return session.scalars(select(Epoch).where(Epoch.run_id == run.id).order_by(Epoch.number)).all()


def runs_on(critique_id: UUID, kind: Kind) -> Select[Run]:
    """Those of a kind that work on a critique, the newest first."""
    critique = aliased(Run)
    return (
        select(Run)
        .where(
            Run.project_id == select(critique.project_id).where(critique.id == critique_id).scalar_subquery(),
            Run.kind == kind,
            Run.parameters["critique_id"].as_string() == str(critique_id),
        )
        .order_by(Run.created_at.desc())
    )
