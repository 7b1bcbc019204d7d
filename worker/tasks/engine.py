"""Runs as a state machine in the database: claim a shard, do it, write it once, go on to the next stage."""

import logging
import traceback
from importlib import import_module
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.config import settings
from app.db import now, transaction
from app.models import Run, Shard, ShardState, Stage, State
from app.queue import enqueue
from app.runs.actions import PARAMETERS
from app.runs.stages import QUEUES, after, task_of
from worker.tasks.heart import Heart
from worker.tasks.job import CancelledError, Job, Plan, RefusedError, Write

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 3


def begin(run_id: UUID) -> None:
    """Takes a queued run to its first stage; delivered twice, it does nothing the second time."""
    with transaction() as session:
        run = session.get(Run, run_id, with_for_update=True)
        if run is None or run.state is not State.QUEUED:
            return
        run.state = State.RUNNING
        run.started_at = run.heartbeat_at = now()
        try:
            advance(session, run)
        except RefusedError as error:
            end(run, State.FAILED, error=str(error))


def run_shard(run_id: UUID, stage: Stage, number: int) -> None:
    """Does one shard, unless it is done, held by a living worker, or its run has ended."""
    claim = uuid4().hex
    with transaction() as session:
        job_or_none = take(session, run_id, stage, number, claim)
    if job_or_none is None:
        return
    heart, job = job_or_none
    try:
        with heart:
            write = cast("Write", import_module(f"worker.tasks.{stage.value}").work(job))
            heart.check()
        finish(run_id, stage, number, claim, write)
    except CancelledError:
        give_up(run_id, stage, number, claim)
    except Exception as error:
        log.info("Run %s failed in stage %s", run_id, stage.value, exc_info=True)  # its details are in the run
        fail(run_id, error, traceback.format_exc())


def take(session: Session, run_id: UUID, stage: Stage, number: int, claim: str) -> tuple[Heart, Job] | None:
    """Claims the shard, or says with ``None`` that there is nothing to do."""
    run = session.get(Run, run_id, with_for_update=True)
    shard = shard_of(session, run_id, stage, number)
    if run is None or shard is None or run.state is not State.RUNNING or shard.state is ShardState.DONE:
        return None
    if run.cancel_requested:
        end(run, State.CANCELLED)
        return None
    if shard.state is ShardState.CLAIMED and not is_silent(shard):
        return None
    if shard.attempts >= MAX_ATTEMPTS:
        end(run, State.FAILED, error=f"The same part of the work was interrupted {MAX_ATTEMPTS} times. {KEPT}")
        return None
    shard.state, shard.claim, shard.heartbeat_at = ShardState.CLAIMED, claim, now()
    shard.attempts += 1
    run.heartbeat_at = now()
    before = shard_of(session, run_id, stage, number - 1)
    heart = Heart(run_id, shard.id, claim)
    return heart, Job(
        run_id=run_id,
        project_id=run.project_id,
        kind=run.kind,
        raw_parameters=PARAMETERS[run.kind].model_validate(run.parameters),
        number=number,
        first=shard.first,
        last=shard.last,
        previous=before.outcome if before is not None else {},
        check=heart.check,
    )


def finish(run_id: UUID, stage: Stage, number: int, claim: str, write: Write) -> None:
    """Writes the shard's result and takes the run on, in one transaction."""
    with transaction() as session:
        run = session.get_one(Run, run_id, with_for_update=True)
        shard = shard_of(session, run_id, stage, number)
        if shard is None or shard.claim != claim or shard.state is ShardState.DONE or run.state is not State.RUNNING:
            return  # it was taken over or the run has ended meanwhile
        shard.outcome = write(session, run)
        shard.state, shard.heartbeat_at = ShardState.DONE, now()
        run.done += shard.last - shard.first
        run.heartbeat_at = now()
        session.flush()
        if run.cancel_requested:
            end(run, State.CANCELLED)
        elif remaining(session, run_id, stage) == 0:
            advance(session, run)
        else:
            send_next(session, run, stage, number + 1)


def give_up(run_id: UUID, stage: Stage, number: int, claim: str) -> None:
    """Lays the shard down; a cancelled run ends here and keeps what is done."""
    with transaction() as session:
        run = session.get_one(Run, run_id, with_for_update=True)
        shard = shard_of(session, run_id, stage, number)
        if shard is not None and shard.claim == claim and shard.state is ShardState.CLAIMED:
            shard.state = ShardState.PENDING
        if run.cancel_requested and not run.state.is_final:
            end(run, State.CANCELLED)


def fail(run_id: UUID, error: Exception, details: str) -> None:
    with transaction() as session:
        run = session.get_one(Run, run_id, with_for_update=True)
        if run.state.is_final:
            return
        if isinstance(error, RefusedError):
            run.result = {**run.result, **error.result}
        end(run, State.FAILED, error=sentence(error), details=details)


def advance(session: Session, run: Run) -> None:
    """To the next stage that has something to do; after the last one the run has succeeded."""
    stage = after(run.kind, run.stage)
    while stage is not None:
        plan: Plan = import_module(f"worker.tasks.{stage.value}").plan(session, run)
        run.stage, run.stage_started_at, run.done, run.total = stage, now(), 0, plan.total
        if plan.total > 0:
            lay_out(session, run, stage, plan)
            return
        stage = after(run.kind, stage)
    end(run, State.SUCCEEDED)


def lay_out(session: Session, run: Run, stage: Stage, plan: Plan) -> None:
    """One row for each shard; all messages leave at once, or only the first where each builds on the one before."""
    for number, first in enumerate(range(0, plan.total, plan.shard_size)):
        sent = number == 0 or not plan.sequential
        session.add(
            Shard(
                run_id=run.id,
                stage=stage,
                number=number,
                first=first,
                last=min(first + plan.shard_size, plan.total),
                sent_at=now() if sent else None,
                outcome={},
            )
        )
        if sent:
            send_shard(session, run.id, stage, number)
    session.flush()


def send_next(session: Session, run: Run, stage: Stage, number: int) -> None:
    shard = shard_of(session, run.id, stage, number)
    if shard is not None and shard.sent_at is None:
        shard.sent_at = now()
        send_shard(session, run.id, stage, number)


def send_shard(session: Session, run_id: UUID, stage: Stage, number: int) -> None:
    enqueue(session, task_of(stage), str(run_id), number, queue=QUEUES[stage])


def end(run: Run, state: State, error: str = "", details: str = "") -> None:
    run.state, run.finished_at, run.error, run.error_details = state, now(), error, details


def shard_of(session: Session, run_id: UUID, stage: Stage, number: int) -> Shard | None:
    return session.scalar(select(Shard).where(Shard.run_id == run_id, Shard.stage == stage, Shard.number == number))


def remaining(session: Session, run_id: UUID, stage: Stage) -> int:
    unfinished = (Shard.run_id == run_id, Shard.stage == stage, Shard.state != ShardState.DONE)
    return session.scalar(select(func.count()).select_from(Shard).where(*unfinished)) or 0


def is_silent(shard: Shard) -> bool:
    """Its worker has given no sign of life for too long."""
    silent_for = now() - (shard.heartbeat_at or now())
    return silent_for.total_seconds() > settings().lost_after_seconds


KEPT = "What was finished before is kept; start it again, or ask the person who runs the server."


def sentence(error: Exception) -> str:
    """Errors of ours are sentences already; of any other the kind and the first line are told."""
    readable = type(error).__module__.split(".")[0] in {"app", "worker"}
    first: Any = str(error).strip().splitlines()[:1]
    told = first[0] if first else type(error).__name__
    return f"{told} {KEPT}" if readable else f"Something went wrong that we did not foresee: {told}. {KEPT}"
