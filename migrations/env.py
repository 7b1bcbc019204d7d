"""Alembic's entry: runs the migrations on the engine of the settings, or on the one that the caller hands over."""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from app import models
from app.db import Instant, engine

target = models.Run.metadata
given = context.config.attributes.get("engine")


def render(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:  # noqa: ANN401  alembic's own type
    """A migration stands by itself: it names SQL's type, not ours."""
    del autogenerate
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


@contextmanager
def without_foreign_keys(connection: Connection) -> Generator[None]:
    """SQLite changes a table by copying it, and with the old one would go all that belongs to its rows."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys=OFF")  # heard between transactions only
    try:
        yield
    finally:
        connection.rollback()
        driver.execute("PRAGMA foreign_keys=ON")


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=target, render_as_batch=True, compare_type=True, render_item=render
    )
    before = context.get_context().get_current_heads()
    with context.begin_transaction():
        context.run_migrations()
        is_changed = context.get_context().get_current_heads() != before
        if is_changed and is_sqlite and (lost := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
            raise RuntimeError(f"After the migration these rows would belong to none: {lost[:10]}")
    connection.commit()


with (given or engine()).connect() as connection:
    # Constraint names are the same on both databases.
    is_sqlite = connection.dialect.name == "sqlite"
    with without_foreign_keys(connection) if is_sqlite else nullcontext():
        run(connection)
