"""A run done in this process, shard by shard: for the command line on a machine where no worker runs."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select

from app.db import reading
from app.models import Run, Shard, ShardState, State
from worker.tasks import engine


def run_here(run_id: UUID, progress: Callable[[Run], None] = lambda _: None) -> None:
    """Does everything that is left of a run; workers that wake up meanwhile share it, since shards are claimed."""
    engine.begin(run_id)
    while True:
        with reading() as session:
            run = session.get_one(Run, run_id)
            pending = session.scalars(
                select(Shard)
                .where(Shard.run_id == run_id, Shard.state == ShardState.PENDING)
                .order_by(Shard.number)
                .limit(1)
            ).first()
        progress(run)
        if run.state is not State.RUNNING or pending is None:
            return
        engine.run_shard(run_id, pending.stage, pending.number)
