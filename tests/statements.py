"""How many SQL statements something takes."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app import db


@contextmanager
def counted() -> Generator[list[str]]:
    """The statements that are executed meanwhile, without those that only begin a transaction."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    yield statements
    event.remove(db.engine(), "before_cursor_execute", note)
