"""Finds what was lost with a worker or a broker and sends it again; claims make a message too many harmless.

It also finds the answers of reviewers that no consensus has read yet, and the drafts that nobody finished.
"""

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from app.audit.acting import SWEEP, acting
from app.db import transaction
from app.drafts.actions import remove_old_drafts
from app.models import Run, Shard, ShardState, State
from app.queue import CPU, celery, enqueue
from app.review.renewal import renew_consensus
from app.runs.actions import BEGIN, end_run
from app.runs.stages import QUEUES
from worker.tasks.engine import lost_before, send_shard


@acting(SWEEP)
def sweep() -> None:
    empty = {queue for queue in {CPU, *QUEUES.values()} if waiting(queue) == 0}
    with transaction() as session:
        free_lost_shards(session)
    with transaction() as session:
        end_cancelled_runs(session)
    with transaction() as session:
        send_forgotten_messages(session, empty)
    with transaction() as session:
        renew_consensus(session)
    with transaction() as session:
        remove_old_drafts(session)


def waiting(queue: str) -> int:
    """Messages in the queue: while there are some, what is pending has not been forgotten, it waits its turn."""
    with celery().connection_for_read() as connection:
        return int(connection.default_channel.client.llen(queue))


def free_lost_shards(session: Session) -> None:
    """A shard whose worker fell silent is anyone's again, and its message leaves at once."""
    send_again(session, Shard.state == ShardState.CLAIMED, Shard.heartbeat_at < lost_before())


def send_again(session: Session, *condition: ColumnElement[bool]) -> None:
    """In one statement that reads and writes: what a worker does to such a shard meanwhile is not undone."""
    runs = select(Run.id).where(Run.state == State.RUNNING)
    freed = update(Shard).where(*condition, Shard.run_id.in_(runs)).values(state=ShardState.PENDING)
    for shard in session.scalars(freed.returning(Shard)).all():
        send_shard(session, shard)


def end_cancelled_runs(session: Session) -> None:
    """A cancelled run ends even if every worker that held a part of it is gone."""
    asked = (Run.state == State.RUNNING, Run.cancel_requested, Run.heartbeat_at < lost_before())
    for run in session.scalars(select(Run).where(*asked).with_for_update(skip_locked=True)).all():
        end_run(session, run, State.CANCELLED)


def send_forgotten_messages(session: Session, empty: set[str]) -> None:
    """What is pending for long while its queue is empty: its message is gone."""
    theirs = [stage for stage, queue in QUEUES.items() if queue in empty]
    send_again(session, Shard.state == ShardState.PENDING, Shard.sent_at < lost_before(), Shard.stage.in_(theirs))
    if CPU in empty:
        for run in session.scalars(select(Run).where(Run.state == State.QUEUED, Run.created_at < lost_before())):
            enqueue(session, BEGIN, str(run.id), queue=CPU)
