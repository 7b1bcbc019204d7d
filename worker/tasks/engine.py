"""Runs as a state machine in the database: claim a shard, do it, write it once, go on to the next stage."""

import logging
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Any, Concatenate, ParamSpec, cast
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.audit.acting import acting, of_run
from app.config import settings
from app.db import now, reading, transaction
from app.languages.messages import Message, MessageError, joined
from app.models import Kind, Run, Shard, ShardState, Stage, State
from app.queue import enqueue
from app.review.renewal import follow_critique
from app.runs.actions import PARAMETERS, end_run
from app.runs.following import follow_import
from app.runs.stages import QUEUES, after, task_of
from worker.tasks.heart import Heart
from worker.tasks.job import CancelledError, Job, Plan, RefusedError, Write
from worker.tasks.material import gather, material_of

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 3
KEPT = Message("What was finished before is kept; start it again, or ask the person who runs the server.")
INTERRUPTED = Message(
    "The same part of the work was interrupted %(times)s times. %(kept)s", times=MAX_ATTEMPTS, kept=KEPT
)
P = ParamSpec("P")


def as_run(work: Callable[Concatenate[UUID, P], None]) -> Callable[Concatenate[UUID, P], None]:
    """What is changed meanwhile is the run's doing, in a worker as on the command line."""

    @wraps(work)
    def do(run_id: UUID, /, *rest: P.args, **named: P.kwargs) -> None:
        with acting(of_run(run_id)):
            work(run_id, *rest, **named)

    return do


@as_run
def begin(run_id: UUID) -> None:
    """Takes a queued run to its first stage; delivered twice, it does nothing the second time."""
    try:
        with reading() as session:
            kind = session.scalar(select(Run.kind).where(Run.id == run_id))
        load_following(kind, None)
        with transaction() as session:
            if (run := queued(session, run_id)) is not None:
                run.state = State.RUNNING
                run.started_at = run.heartbeat_at = now()
                gather(session, run)
                advance(session, run)
    except Exception as error:
        log.info("Run %s could not be planned", run_id, exc_info=True)  # its details are in the run
        with transaction() as session:
            if (run := queued(session, run_id)) is not None:
                end_with(session, run, error, traceback.format_exc())


def queued(session: Session, run_id: UUID) -> Run | None:
    """The run, locked; None where another delivery began it, or it was cancelled."""
    run = session.get(Run, run_id, with_for_update=True)
    return run if run is not None and run.state is State.QUEUED else None


@as_run
def run_shard(run_id: UUID, stage: Stage, number: int) -> None:
    """Does one shard, unless it is done, held by a living worker, not yet its turn, or its run has ended."""
    claim = uuid4().hex
    with transaction() as session:
        job_or_none = take(session, run_id, stage, number, claim)
    if job_or_none is None:
        return
    heart, job = job_or_none
    try:
        with heart:
            write = cast("Write", module_of(stage).work(job))
            load_following(job.kind, stage)
            heart.check()
        finish(run_id, stage, number, claim, write)
    except CancelledError:
        give_up(run_id, stage, number, claim)
    except OperationalError:
        log.warning("The database did not answer run %s; the shard is sent again", run_id, exc_info=True)
        give_up(run_id, stage, number, claim)
    except Exception as error:
        log.info("Run %s failed in stage %s", run_id, stage.value, exc_info=True)  # its details are in the run
        fail(run_id, stage, number, claim, error, traceback.format_exc())


def take(session: Session, run_id: UUID, stage: Stage, number: int, claim: str) -> tuple[Heart, Job] | None:
    """Claims the shard, or says with ``None`` that there is nothing to do."""
    run = session.get(Run, run_id, with_for_update=True)
    shard = shard_of(session, run_id, stage, number)
    if run is None or shard is None or run.state is not State.RUNNING:
        return None
    if shard.state is ShardState.DONE or shard.sent_at is None:
        return None
    if run.cancel_requested:
        end_run(session, run, State.CANCELLED)
        return None
    if shard.state is ShardState.CLAIMED and not is_silent(shard):
        return None
    if shard.attempts >= MAX_ATTEMPTS:
        end_run(session, run, State.FAILED, INTERRUPTED)
        return None
    shard.state, shard.claim, shard.heartbeat_at = ShardState.CLAIMED, claim, now()
    shard.attempts += 1
    run.heartbeat_at = now()
    before = (Shard.run_id == run_id, Shard.stage == stage, Shard.number == number - 1)
    heart = Heart(run_id, shard.id, claim)
    return heart, Job(
        run_id=run_id,
        project_id=run.project_id,
        kind=run.kind,
        raw_parameters=PARAMETERS[run.kind].model_validate(run.parameters),
        material=material_of(run),
        number=number,
        first=shard.first,
        last=shard.last,
        previous=session.scalar(select(Shard.outcome).where(*before)) or {},
        check=heart.check,
    )


def held(session: Session, run_id: UUID, stage: Stage, number: int, claim: str) -> tuple[Run, Shard] | None:
    """The run and its shard, locked; None where the shard was taken over or the run has ended meanwhile."""
    run = session.get(Run, run_id, with_for_update=True)
    shard = shard_of(session, run_id, stage, number)
    if run is None or run.state is not State.RUNNING:
        return None
    if shard is None or shard.claim != claim or shard.state is ShardState.DONE:
        return None
    return run, shard


def finish(run_id: UUID, stage: Stage, number: int, claim: str, write: Write) -> None:
    """Writes the shard's result and takes the run on, in one transaction."""
    with transaction() as session:
        mine = held(session, run_id, stage, number, claim)
        if mine is None:
            return
        run, shard = mine
        shard.outcome = write(session, run)
        shard.state, shard.heartbeat_at = ShardState.DONE, now()
        run.done += shard.last - shard.first
        run.heartbeat_at = now()
        session.flush()
        if run.cancel_requested:
            end_run(session, run, State.CANCELLED)
        elif remaining(session, run_id, stage) == 0:
            advance(session, run)
        else:
            send_next(session, run, stage, number + 1)


def give_up(run_id: UUID, stage: Stage, number: int, claim: str) -> None:
    """Lays the shard down for another worker; a cancelled run ends here and keeps what is done."""
    with transaction() as session:
        mine = held(session, run_id, stage, number, claim)
        if mine is None:
            return
        run, shard = mine
        shard.state = ShardState.PENDING
        if run.cancel_requested:
            end_run(session, run, State.CANCELLED)
        else:
            send_shard(session, shard)


def fail(run_id: UUID, stage: Stage, number: int, claim: str, error: Exception, details: str) -> None:
    """The run ends with its shard's error, unless another worker does that shard meanwhile."""
    with transaction() as session:
        mine = held(session, run_id, stage, number, claim)
        if mine is not None:
            end_with(session, mine[0], error, details)


def end_with(session: Session, run: Run, error: Exception, details: str) -> None:
    if isinstance(error, RefusedError):
        run.result = {**run.result, **error.result}
    end_run(session, run, State.FAILED, sentence(error), details)


def advance(session: Session, run: Run) -> None:
    """To the next stage that has something to do; after the last one the run has succeeded."""
    stage = after(run.kind, run.stage)
    while stage is not None:
        plan: Plan = module_of(stage).plan(session, run)
        run.stage, run.stage_started_at, run.done, run.total = stage, now(), 0, plan.total
        if plan.total > 0:
            lay_out(session, run, stage, plan)
            return
        stage = after(run.kind, stage)
    end_run(session, run, State.SUCCEEDED)
    follow_critique(session, run)
    follow_import(session, run)


def module_of(stage: Stage) -> ModuleType:
    return import_module(f"worker.tasks.{stage.value}")


def load_following(kind: Kind | None, stage: Stage | None) -> None:
    """Loads what plans the next stage while no row is locked: with torch that takes seconds, and people wait."""
    following = after(kind, stage) if kind else None
    if following is not None:
        module_of(following)


def lay_out(session: Session, run: Run, stage: Stage, plan: Plan) -> None:
    """One row for each shard; all messages leave at once, or only the first where each builds on the one before."""
    for number, first in enumerate(range(0, plan.total, plan.shard_size)):
        last = min(first + plan.shard_size, plan.total)
        shard = Shard(run_id=run.id, stage=stage, number=number, first=first, last=last, outcome={})
        session.add(shard)
        if number == 0 or not plan.sequential:
            send_shard(session, shard)
    session.flush()


def send_next(session: Session, run: Run, stage: Stage, number: int) -> None:
    shard = shard_of(session, run.id, stage, number)
    if shard is not None and shard.sent_at is None:
        send_shard(session, shard)


def send_shard(session: Session, shard: Shard) -> None:
    shard.sent_at = now()
    enqueue(session, task_of(shard.stage), str(shard.run_id), shard.number, queue=QUEUES[shard.stage])


def shard_of(session: Session, run_id: UUID, stage: Stage, number: int) -> Shard | None:
    """Locked, as its run is before it."""
    this = (Shard.run_id == run_id, Shard.stage == stage, Shard.number == number)
    return session.scalar(select(Shard).where(*this).with_for_update())


def remaining(session: Session, run_id: UUID, stage: Stage) -> int:
    unfinished = (Shard.run_id == run_id, Shard.stage == stage, Shard.state != ShardState.DONE)
    return session.scalar(select(func.count()).select_from(Shard).where(*unfinished)) or 0


def is_silent(shard: Shard) -> bool:
    return shard.heartbeat_at is not None and shard.heartbeat_at < lost_before()


def lost_before() -> datetime:
    """A worker whose last sign of life is older than this is lost."""
    return now() - timedelta(seconds=settings().lost_after_seconds)


def sentence(error: Exception) -> Message:
    """A refusal says what to do; other errors of ours are sentences too; of any other the first line is told."""
    if isinstance(error, RefusedError):
        return error.message
    first: Any = str(error).strip().splitlines()[:1]
    what = first[0] if first else type(error).__name__
    if isinstance(error, MessageError):
        return joined((error.message, KEPT))
    if type(error).__module__.split(".")[0] in {"app", "worker"}:
        return joined((what, KEPT))
    return Message("Something went wrong that we did not foresee: %(what)s. %(kept)s", what=what, kept=KEPT)
