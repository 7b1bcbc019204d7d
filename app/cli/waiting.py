"""Following a run to its end, on the terminal."""

import time
from uuid import UUID

from kombu.exceptions import OperationalError
from redis import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy.orm import Session

from app.cli.output import CommandError
from app.db import reading, transaction
from app.languages.messages import in_english
from app.models import Run, State
from app.queue import celery
from app.runs.actions import start_run
from app.runs.parameters import Parameters

POLL_SECONDS = 0.3
PING_SECONDS = 1.5


def do(
    project_id: UUID,
    parameters: Parameters,
    quiet: bool,
    user_id: UUID | None = None,
    *,
    through_queue: bool = False,
) -> Run:
    """Starts a run, follows it and returns it once it has succeeded. Raises CommandError with what went wrong.

    through_queue: leave the work to a worker even if none answers yet; else this process does it when none answers.
    """
    with transaction() as session:
        run_id = start_run(session, project_id, parameters, user_id).id
    return follow(run_id, quiet, through_queue=through_queue)


def follow(run_id: UUID, quiet: bool, *, through_queue: bool = False) -> Run:
    with bar(quiet) as progress:
        line = progress.add_task("queued", total=None)
        elsewhere = through_queue or a_worker_listens()
        run = poll(run_id, progress, line) if elsewhere else here(run_id, progress, line)
    if run.state is State.SUCCEEDED:
        return run
    details = {"run": str(run.id), "state": run.state.value, "details": run.error_details, **in_english(run.result)}
    raise CommandError(run.error or f"The run was {run.state.value}; what was finished is kept.", details)


def bar(quiet: bool) -> Progress:
    columns = (TextColumn("{task.description:<28}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=quiet)


def a_worker_listens() -> bool:
    """Whether any worker answers; without one the command does the work itself."""
    try:
        return bool(celery().control.ping(timeout=PING_SECONDS, limit=1))
    except (OSError, OperationalError, RedisError):
        return False


def poll(run_id: UUID, progress: Progress, line: TaskID) -> Run:
    while True:
        with reading() as session:
            run = read(session, run_id)
        tell(run, progress, line)
        if run.state.is_final:
            return run
        time.sleep(POLL_SECONDS)


def here(run_id: UUID, progress: Progress, line: TaskID) -> Run:
    from worker.tasks.here import run_here

    run_here(run_id, lambda run: tell(run, progress, line))
    with reading() as session:
        return read(session, run_id)


def read(session: Session, run_id: UUID) -> Run:
    return session.get_one(Run, run_id, populate_existing=True)


def tell(run: Run, progress: Progress, line: TaskID) -> None:
    stage = run.stage.value if run.stage else "queued"
    progress.update(line, description=f"{run.kind.value}: {stage}", completed=run.done, total=run.total or None)
