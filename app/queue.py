"""The Celery object, and messages that leave only after the commit of what they speak of."""

from functools import lru_cache
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis import RedisError
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.config import settings

GPU = "gpu"
CPU = "cpu"
PENDING = "messages"


@lru_cache
def celery() -> Celery:
    queue = Celery("rightreasons")
    queue.conf.update(
        broker_url=settings().resolved_broker_url,
        broker_connection_retry_on_startup=True,
        task_ignore_result=True,
        task_default_queue=CPU,
        task_serializer="json",
        accept_content=["json"],
        # A message is only a hint: what is to be done stands in the database, where shards are claimed and the
        # sweep finds what was lost. So it is acknowledged early, and a lost one costs seconds, not a result.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        # A request must not hang on a broker that is away; the sweep sends again what could not be sent.
        broker_transport_options={
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0,
        },
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return queue


def enqueue(session: Session, name: str, *arguments: str | int, queue: str = CPU) -> None:
    """Sends the task once the session's transaction is committed; a rollback sends nothing."""
    session.info.setdefault(PENDING, []).append((name, arguments, queue))


def send(name: str, arguments: tuple[str | int, ...], queue: str) -> bool:
    """False when the broker could not be reached: the sweep sends it again, nothing is lost."""
    try:
        celery().send_task(name, args=arguments, queue=queue, retry=False)
    except (OSError, OperationalError, RedisError):
        return False
    return True


@event.listens_for(Session, "after_commit")
def send_messages(session: Session) -> None:
    if session.in_nested_transaction():
        return
    messages: list[Any] = session.info.pop(PENDING, [])
    for name, arguments, queue in messages:
        if not send(name, arguments, queue):
            break


@event.listens_for(Session, "after_rollback")
def drop_messages(session: Session) -> None:
    session.info.pop(PENDING, None)
