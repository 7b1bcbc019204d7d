"""One task per stage. A stage's module has two functions: ``plan`` says how much there is, ``work`` does one shard.

The module is imported only when a shard of it runs, so that torch is never loaded before a worker forks.
"""

from uuid import UUID

from celery import Celery

from app.models import Stage
from app.queue import CPU
from app.runs.actions import BEGIN
from app.runs.stages import QUEUES, task_of


def register(celery: Celery) -> None:
    """Gives the queue a task of each stage's name."""

    def begin(run_id: str) -> None:
        from worker.tasks import engine

        engine.begin(UUID(run_id))

    celery.task(name=BEGIN, queue=CPU)(begin)
    for stage in Stage:
        celery.task(name=task_of(stage), queue=QUEUES[stage])(_shard_task(stage))


def _shard_task(stage: Stage):  # type: ignore[no-untyped-def]  # noqa: ANN202  Celery asks only for a callable
    def do(run_id: str, number: int) -> None:
        from worker.tasks import engine

        engine.run_shard(UUID(run_id), stage, number)

    return do
