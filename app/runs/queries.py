from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import HTTPException
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased, defer
from sqlalchemy.orm.interfaces import ORMOption

from app.db import reading
from app.languages.catalogue import gettext
from app.models import Epoch, Kind, Run, Stage, State
from app.models.guard_record import KEY

WITHOUT_RESULT = (defer(Run.result), defer(Run.error_details))  # they may be long; where one is looked at, it is loaded


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


def find_run(session: Session, run_id: UUID, *options: ORMOption) -> Run:
    run = session.get(Run, run_id, options=options)
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


def results_of(session: Session, run_id: UUID, *parts: str | tuple[str, ...]) -> Sequence[Any]:
    """These parts of a run's result, or parts of parts, without all the others; None for one that it does not have."""
    return session.execute(select(*(Run.result[part] for part in parts)).where(Run.id == run_id)).one()


def delivered_epoch(session: Session, run: Run) -> int | None:
    """Whose weights a realignment delivered, once that is known."""
    epoch: int | None
    (epoch,) = results_of(session, run.id, (KEY, "epoch"))
    return epoch


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
