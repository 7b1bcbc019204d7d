"""What `celery -A worker.celery` starts: the tasks, and the sweep that finds what was lost."""

import logging
import threading
from typing import Any

from celery import signals

from app.config import settings
from app.queue import celery as the_queue
from worker import tasks
from worker.tasks.sweep import sweep

log = logging.getLogger(__name__)
celery = the_queue()
tasks.register(celery)


@signals.worker_ready.connect
def keep_sweeping(**_: Any) -> None:  # noqa: ANN401  the signal's own arguments
    """One thread in each worker's parent process; the parent computes nothing, so a sweep is never late."""

    def loop() -> None:
        stop = threading.Event()
        while not stop.wait(settings().sweep_seconds):
            try:
                sweep()
            except Exception:
                log.exception("The sweep failed; it is tried again.")

    threading.Thread(target=loop, name="sweep", daemon=True).start()


@signals.worker_process_init.connect
def forget_connections(**_: Any) -> None:  # noqa: ANN401  the signal's own arguments
    """A forked child must not share its parent's database connections."""
    from app.db import engine

    engine().dispose(close=False)
