"""Blobs that only one run needs: they are forgotten once the transaction that says so is committed."""

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from app.models import Run, Shard, ShardState, Stage, State
from app.storage import UPLOAD, storage

FORGOTTEN = "blobs"
STATE = "state"  # where a training's shard names what the next one goes on from
TRAININGS = (Stage.FIT, Stage.REALIGN)


def forget_leftovers(session: Session, run: Run) -> None:
    """Of a run that ends: the files that were uploaded for it, and the state of a training that was not finished."""
    for name in files_of(run):
        if name and name.startswith(UPLOAD):
            forget_later(session, name)
    done = (Shard.run_id == run.id, Shard.stage.in_(TRAININGS), Shard.state == ShardState.DONE)
    newest = session.scalar(select(Shard.outcome).where(*done).order_by(Shard.number.desc()).limit(1)) or {}
    if state := newest.get(STATE):
        forget_later(session, state)


def files_of(run: Run) -> list[str | None]:
    """What nobody needs after it. A preview's files stay with its draft; a checkpoint brought along is read next."""
    given = run.parameters
    if given.get("preview"):
        return []
    brought = None if run.state is State.SUCCEEDED else given.get("checkpoint")
    return [given.get("blob"), given.get("weights"), brought["weights"] if brought else None]


def forget_later(session: Session, blob: str) -> None:
    """A rollback forgets nothing: whoever does the work again needs it."""
    session.info.setdefault(FORGOTTEN, []).append(blob)


@event.listens_for(Session, "after_commit")
def forget_blobs(session: Session) -> None:
    if session.in_nested_transaction():
        return
    for blob in session.info.pop(FORGOTTEN, []):
        storage().forget(blob)


@event.listens_for(Session, "after_rollback")
def keep_blobs(session: Session) -> None:
    session.info.pop(FORGOTTEN, None)
