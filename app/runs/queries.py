from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fastapi import HTTPException
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from app.db import reading
from app.languages.catalogue import gettext
from app.models import Epoch, Kind, Run, Stage, State


@dataclass(frozen=True)
class Look:
    """What of a run a page shows and that can change."""

    state: State
    stage: Stage | None
    done: int
    total: int
    cancel_requested: bool
    heartbeat_at: datetime | None
    epochs: int


def find_run(session: Session, run_id: UUID) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise HTTPException(
            404, gettext("There is no such piece of work: its project was removed, or the address is not complete.")
        )
    return run


def look_at(run_id: UUID) -> Look | None:
    """In a session of its own, in one statement; None where the run is no more."""
    epochs = select(func.count()).select_from(Epoch).where(Epoch.run_id == run_id).scalar_subquery()
    columns = (Run.state, Run.stage, Run.done, Run.total, Run.cancel_requested, Run.heartbeat_at)
    with reading() as session:
        row = session.execute(select(*columns, epochs).where(Run.id == run_id)).one_or_none()
    return Look(*row) if row else None


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
