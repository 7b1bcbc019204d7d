from collections.abc import Sequence
from uuid import UUID

from fastapi import HTTPException
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Epoch, Run


def find_run(session: Session, run_id: UUID) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise HTTPException(
            404, "There is no such piece of work: its project was removed, or the address is not complete."
        )
    return run


def epochs_of(session: Session, run: Run) -> Sequence[Epoch]:
    return session.scalars(select(Epoch).where(Epoch.run_id == run.id).order_by(Epoch.number)).all()
