"""A shard's sign of life while it computes, and the way a cancelled run reaches it."""

import logging
import threading
from types import TracebackType
from typing import Self
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from app.config import settings
from app.db import now, transaction
from app.models import Run, Shard, State
from worker.tasks.job import CancelledError

log = logging.getLogger(__name__)


class Heart:
    """While it is open, a thread writes the heartbeat and looks whether the run was cancelled or the claim lost."""

    def __init__(self, run_id: UUID, shard_id: UUID, claim: str) -> None:
        self.run_id, self.shard_id, self.claim = run_id, shard_id, claim
        self.stopped = threading.Event()
        self.cancelled = threading.Event()
        self.thread = threading.Thread(target=self._beat_until_stopped, name="heart", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stopped.set()
        self.thread.join()

    def check(self) -> None:
        if self.cancelled.is_set():
            raise CancelledError

    def _beat_until_stopped(self) -> None:
        while not self.stopped.wait(settings().heartbeat_seconds):
            try:
                self._beat()
            except SQLAlchemyError:
                log.exception("A heartbeat could not be written; the next one may.")

    def _beat(self) -> None:
        mine = (Shard.id == self.shard_id, Shard.claim == self.claim)
        with transaction() as session:
            # The run before its shard, as everywhere: two who lock them in different orders would wait for each other.
            session.execute(update(Run).where(Run.id == self.run_id).values(heartbeat_at=now()))
            beaten = session.execute(update(Shard).where(*mine).values(heartbeat_at=now()).returning(Shard.id)).all()
            state, asked = session.execute(select(Run.state, Run.cancel_requested).where(Run.id == self.run_id)).one()
        if not beaten or asked or state is not State.RUNNING:
            self.cancelled.set()
