"""The chain: every entry's hash is over its content and over the hash of the entry before it.

Who changes, takes out, puts in or moves an entry breaks it there. Who cuts off its end, or writes all of it anew, does
not: that shows only beside a hash that was kept elsewhere.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, func, insert, select
from sqlalchemy.orm import Session

from app.audit.acting import Actor
from app.db import now
from app.models.audit_entry import Action, AuditEntry

ORIGIN = "0" * 64
LOCK = 0x72725F6175646974  # one number for all who write to one PostgreSQL database: "rr_audit"
TABLE = AuditEntry.metadata.tables[AuditEntry.__tablename__]
CONTENT = tuple(column.name for column in TABLE.columns if column.name != "hash")


@dataclass(frozen=True)
class Fact:
    """What an entry tells, before it has its place in the chain; ``before`` and ``after`` as JSON can hold them."""

    action: Action
    thing: str
    thing_id: UUID | None = None
    project_id: UUID | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Link:
    """How far the chain has been followed."""

    number: int = 0
    hash: str = ORIGIN


@dataclass(frozen=True)
class Checked:
    """``broken``: what is wrong with the first entry that is, ``number`` which one; ``done``: nothing comes after."""

    last: Link
    done: bool
    broken: str = ""
    number: int | None = None


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911  whatever a column can hold, one return for each kind
    """The value as JSON can hold it, the same every time."""
    match value:
        case Enum():
            return value.value
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case UUID():
            return str(value)
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
    raise TypeError(f"The audit log can't hold a {type(value).__name__}.")


def canonical(value: Any) -> str:  # noqa: ANN401  as above
    """Keys sorted, no spaces, ASCII only: the same text on every machine."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_of(content: Mapping[Any, Any]) -> str:
    return hashlib.sha256(canonical({name: content[name] for name in CONTENT}).encode()).hexdigest()


def append(connection: Connection, actor: Actor, facts: Sequence[Fact]) -> None:
    """Adds entries at the end, in the connection's own transaction, of which this has to be the last part.

    Whoever comes second waits for the first one's commit: SQLite's BEGIN IMMEDIATE sees to that, on PostgreSQL a lock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
    last, at, rows = head(connection), now(), []
    for fact in facts:
        row = {
            "number": last.number + 1,
            "at": at,
            "actor": actor.kind,
            "who": actor.name,
            "actor_id": actor.id,
            "token_id": actor.token_id,
            "project_id": fact.project_id,
            "action": fact.action,
            "thing": fact.thing,
            "thing_id": fact.thing_id,
            "before": plain(dict(fact.before or {})),
            "after": plain(dict(fact.after or {})),
            "previous": last.hash,
        }
        last = Link(last.number + 1, hash_of(row))
        rows.append({**row, "hash": last.hash})
    connection.execute(insert(TABLE), rows)


def head(connection: Connection | Session) -> Link:
    """The newest entry."""
    newest = connection.execute(select(TABLE.c.number, TABLE.c.hash).order_by(TABLE.c.number.desc()).limit(1)).first()
    return Link(newest.number, newest.hash) if newest else Link()


def link_at(session: Session, number: int) -> Link | None:
    found = session.scalar(select(TABLE.c.hash).where(TABLE.c.number == number))
    return Link() if number == 0 else None if found is None else Link(number, found)


def number_of(session: Session, kept: str) -> int | None:
    """Of the entry with a hash that somebody kept; None where the log holds none."""
    return session.scalar(select(TABLE.c.number).where(TABLE.c.hash == kept))


def follow(session: Session, last: Link, most: int) -> Checked:
    """Checks up to so many entries after one that was checked before; only these are in memory."""
    after = select(TABLE).where(TABLE.c.number > last.number).order_by(TABLE.c.number).limit(most)
    try:
        rows = session.execute(after).mappings().all()
    except (ValueError, LookupError):  # somebody wrote what no column of ours reads: find out where
        if most == 1:
            return broken(last, "can’t be read: it was changed")
        first = follow(session, last, 1)
        while not first.broken and not first.done:
            first = follow(session, first.last, 1)
        return first
    for row in rows:
        if wrong := what_is_wrong(row, last):
            return Checked(last, done=True, broken=wrong, number=last.number + 1)
        last = Link(row["number"], row["hash"])
    return Checked(last, done=len(rows) < most)


def broken(last: Link, what: str) -> Checked:
    return Checked(last, done=True, broken=f"Entry {last.number + 1} {what}.", number=last.number + 1)


def what_is_wrong(row: RowMapping, last: Link) -> str:
    """Empty where the row follows from the last one."""
    number, expected = row["number"], last.number + 1
    if number != expected:
        missing = f"Entry {expected} is" if number == expected + 1 else f"Entries {expected} to {number - 1} are"
        return f"{missing} missing."
    if hash_of(row) != row["hash"]:
        return f"Entry {number} is not what was written: it was changed, or moved here from another place."
    if row["previous"] != last.hash:
        return f"Entry {number} does not follow from the one before it: one of the two was replaced or put in."
    return ""
