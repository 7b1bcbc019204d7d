"""Alembic's entry: runs the migrations on the engine of the settings, or on the one that the caller hands over."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from app import models
from app.db import Instant, engine

target = models.Run.metadata
given = context.config.attributes.get("engine")


def render(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:  # noqa: ANN401  alembic's own type
    """A migration stands by itself: it names SQL's type, not ours."""
    del autogenerate
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


with (given or engine()).connect() as connection:
    # SQLite changes a table by copying it; constraint names are the same on both databases.
    context.configure(
        connection=connection, target_metadata=target, render_as_batch=True, compare_type=True, render_item=render
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
