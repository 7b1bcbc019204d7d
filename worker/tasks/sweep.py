"""Finds what was lost with a worker or a broker and sends it again; claims make a message too many harmless."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config import settings
from app.db import now, transaction
from app.models import Run, Shard, ShardState, State
from app.queue import CPU, celery, enqueue
from app.runs.actions import BEGIN
from app.runs.stages import QUEUES
from worker.tasks.engine import end, send_shard


def sweep() -> None:
    empty = {queue for queue in {CPU, *QUEUES.values()} if waiting(queue) == 0}
    with transaction() as session:
        free_lost_shards(session)
        end_cancelled_runs(session)
        send_forgotten_messages(session, empty)


def waiting(queue: str) -> int:
    """Messages in the queue: while there are some, what is pending has not been forgotten, it waits its turn."""
    with celery().connection_for_read() as connection:
        return int(connection.default_channel.client.llen(queue))


def free_lost_shards(session: Session) -> None:
    """A shard whose worker fell silent is anyone's again, and its message leaves at once."""
    silent = now() - timedelta(seconds=settings().lost_after_seconds)
    lost = (Shard.state == ShardState.CLAIMED, Shard.heartbeat_at < silent, Run.state == State.RUNNING)
    for shard in session.scalars(select(Shard).join(Run, Run.id == Shard.run_id).where(*lost)):
        shard.state, shard.sent_at = ShardState.PENDING, now()
        send_shard(session, shard.run_id, shard.stage, shard.number)


def end_cancelled_runs(session: Session) -> None:
    """A cancelled run ends even if every worker that held a part of it is gone."""
    silent = now() - timedelta(seconds=settings().lost_after_seconds)
    asked = (Run.state == State.RUNNING, Run.cancel_requested, Run.heartbeat_at < silent)
    for run in session.scalars(select(Run).where(*asked)):
        end(run, State.CANCELLED)


def send_forgotten_messages(session: Session, empty: set[str]) -> None:
    """What is pending for long while its queue is empty: its message is gone."""
    old = now() - timedelta(seconds=settings().lost_after_seconds)
    pending = (Shard.state == ShardState.PENDING, Shard.sent_at < old, Run.state == State.RUNNING)
    for shard in session.scalars(select(Shard).join(Run, Run.id == Shard.run_id).where(*pending)):
        if QUEUES[shard.stage] in empty:
            shard.sent_at = now()
            send_shard(session, shard.run_id, shard.stage, shard.number)
    if CPU in empty:
        for run in session.scalars(select(Run).where(Run.state == State.QUEUED, Run.created_at < old)):
            enqueue(session, BEGIN, str(run.id), queue=CPU)
