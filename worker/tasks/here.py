"""A run done in this process, shard by shard: for the command line on a machine where no worker runs."""

import time
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.db import reading
from app.models import Run, Shard, ShardState, State
from worker.tasks import engine

POLL_SECONDS = 0.3


def run_here(run_id: UUID, progress: Callable[[Run], None] = lambda _: None) -> None:
    """Does all that is left of a run, and waits for the shards that workers hold which woke up meanwhile."""
    while True:
        with reading() as session:
            run = session.get_one(Run, run_id)
            shard = free_shard(session, run_id)
        progress(run)
        if run.state.is_final:
            return
        if run.state is State.QUEUED:
            engine.begin(run_id)
        elif shard is not None:
            engine.run_shard(run_id, shard.stage, shard.number)
        else:
            time.sleep(POLL_SECONDS)


def free_shard(session: Session, run_id: UUID) -> Shard | None:
    """The first whose turn has come and that no living worker holds."""
    is_free = or_(
        Shard.state == ShardState.PENDING,
        (Shard.state == ShardState.CLAIMED) & (Shard.heartbeat_at < engine.lost_before()),
    )
    mine = (Shard.run_id == run_id, Shard.sent_at.is_not(None), is_free)
    return session.scalars(select(Shard).where(*mine).order_by(Shard.number).limit(1)).first()
