"""Every change that a session commits becomes an entry, in the same transaction, whoever makes it and wherever.

Nothing has to be called for it: the session itself tells what it adds, changes and removes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Delete, Insert, Update, event, inspect
from sqlalchemy.orm import Mapper, ORMExecuteState, Session
from sqlalchemy.orm.unitofwork import UOWTransaction

from app.audit.acting import who_acts
from app.audit.chain import Fact, append, canonical
from app.audit.scope import DIGESTED, HIDDEN, READABLE, SECRETS, Told, is_told, told
from app.db import Base
from app.models import Project, Run, Specification
from app.models.audit_entry import Action, ActorKind

PENDING = "audit"
Verb = str  # added, changed or removed


@dataclass
class Change:
    """What becomes of one row in a transaction, however often it is flushed. A row that is new has no ``before``."""

    row: Base
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def action(self) -> Action:
        if self.before is None:
            return Action.ADDED
        return Action.CHANGED if self.after is not None else Action.REMOVED

    @property
    def columns(self) -> list[str]:
        before, after = self.before or {}, self.after or {}
        if self.action is not Action.CHANGED:
            return [*(before or after)]
        return [name for name in after if before.get(name) != after[name]]


@dataclass
class Changes:
    rows: dict[tuple[str, UUID], Change] = field(default_factory=dict)
    counts: Counter[tuple[str, Verb]] = field(default_factory=Counter)
    facts: list[Fact] = field(default_factory=list)


def changes_of(session: Session) -> Changes:
    changes: Changes = session.info.setdefault(PENDING, Changes())
    return changes


def note(session: Session, fact: Fact) -> None:
    """Something that is no change of a row; it is written with the transaction's changes."""
    changes_of(session).facts.append(fact)


@event.listens_for(Session, "after_flush")
def note_rows(session: Session, context: UOWTransaction) -> None:
    del context
    for row in session.new:
        note_row(session, row, "added")
    for row in session.dirty:
        if session.is_modified(row, include_collections=False):
            note_row(session, row, "changed")
    for row in session.deleted:
        note_row(session, row, "removed")


def note_row(session: Session, row: Base, verb: Verb) -> None:
    mapper: Mapper[Any] = inspect(row).mapper
    table = mapper.local_table.name  # type: ignore[attr-defined]  # of a mapped class it is a table
    match told(table):
        case Told.COUNTED:
            changes_of(session).counts[table, verb] += 1
        case Told.ROW_BY_ROW:
            key = (table, mapper.primary_key_from_instance(row)[0])
            rows = changes_of(session).rows
            merge(rows, key, {"added": added, "changed": changed, "removed": removed}[verb](row, table))


def added(row: Base, table: str) -> Change:
    return Change(row, None, dict(values(row, table)))


def removed(row: Base, table: str) -> Change:
    return Change(row, dict(values(row, table)), None)


def values(row: Base, table: str) -> Iterator[tuple[str, Any]]:
    """What is loaded of the row; nothing may be loaded while the session flushes."""
    loaded = inspect(row).dict
    for attribute in inspect(row).mapper.column_attrs:
        if is_told(table, attribute.key) and attribute.key in loaded:
            yield attribute.key, loaded[attribute.key]


def changed(row: Base, table: str) -> Change:
    change = Change(row, {}, {})
    assert change.before is not None
    assert change.after is not None
    for attribute in inspect(row).mapper.column_attrs:
        history = inspect(row).attrs[attribute.key].history
        if history.has_changes() and is_told(table, attribute.key):
            change.before[attribute.key] = history.deleted[0] if history.deleted else None
            change.after[attribute.key] = history.added[0] if history.added else None
    return change


def merge(rows: dict[tuple[str, UUID], Change], key: tuple[str, UUID], new: Change) -> None:
    """With what the same transaction did to the row before: what stood before it is what stood before all of it."""
    old = rows.pop(key, None)
    if old is None:
        rows[key] = new
    elif new.after is None and old.before is None:
        pass  # added and removed again
    elif new.after is None:
        rows[key] = Change(new.row, {**(new.before or {}), **(old.before or {})}, None)
    elif old.before is None:
        rows[key] = Change(new.row, None, {**(old.after or {}), **new.after})
    else:
        rows[key] = Change(new.row, {**(new.before or {}), **old.before}, {**(old.after or {}), **new.after})


@event.listens_for(Session, "do_orm_execute")
def count_bulk(state: ORMExecuteState) -> Any:  # noqa: ANN401  the event's own type
    """Statements that change rows without loading them."""
    statement = state.statement
    if not isinstance(statement, Insert | Update | Delete):
        return None
    table = getattr(statement.table, "name", "")
    if told(table) is Told.NOT or not any(is_told(table, name) for name in columns_set(statement, state.parameters)):
        return None
    verb = "added" if state.is_insert else "changed" if state.is_update else "removed"
    result = None
    if isinstance(state.parameters, list):
        rows = len(state.parameters)
    else:
        result = state.invoke_statement()
        rows = max(0, getattr(result, "rowcount", 1))
    changes_of(state.session).counts[table, verb] += rows
    return result


def columns_set(statement: Insert | Update | Delete, parameters: Any) -> set[str]:  # noqa: ANN401  as SQLAlchemy gives them
    """The names of the columns that get a value; a Delete is about the whole row."""
    if isinstance(statement, Delete):
        return {""}
    given = parameters if isinstance(parameters, list) else [parameters or {}]
    fixed = getattr(statement, "_values", None) or {}  # there is no public way to ask a statement what it sets
    names = {getattr(column, "key", str(column)) for column in fixed} | {name for each in given[:1] for name in each}
    return names or {""}


@event.listens_for(Session, "before_commit")
def write(session: Session) -> None:
    """As the last part of the transaction, so that others wait for it as short as can be."""
    if session.in_nested_transaction():
        return
    session.flush()
    changes: Changes | None = session.info.pop(PENDING, None)
    facts = list(facts_of(session, changes)) if changes else []
    if facts:
        append(session.connection(), who_acts(), facts)


@event.listens_for(Session, "after_rollback")
def drop(session: Session) -> None:
    session.info.pop(PENDING, None)


def facts_of(session: Session, changes: Changes) -> Iterator[Fact]:
    for (table, row_id), change in changes.rows.items():
        if columns := change.columns:
            yield Fact(
                action=change.action,
                thing=table,
                thing_id=row_id,
                project_id=project_of(session, change.row),
                before=shown(table, change.before, columns),
                after=shown(table, change.after, columns),
            )
    if changes.counts:
        rows: dict[str, dict[Verb, int]] = {}
        for (table, verb), count in changes.counts.items():
            rows.setdefault(table, {})[verb] = count
        yield Fact(Action.WROTE, "rows", project_id=project_at_work(session), after=rows)
    yield from changes.facts


def shown(table: str, values: dict[str, Any] | None, columns: list[str]) -> dict[str, Any]:
    return {name: shown_value(table, name, values[name]) for name in columns if name in values} if values else {}


def shown_value(table: str, name: str, value: Any) -> Any:  # noqa: ANN401  a column's
    if name in SECRETS.get(table, ()):
        return HIDDEN if value is not None else None
    if name in DIGESTED.get(table, ()) and value:
        text = canonical(value)
        decided = {key: value[key] for key in READABLE & value.keys()} if isinstance(value, dict) else {}
        return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "characters": len(text), **decided}
    return value


def project_of(session: Session, row: Base) -> UUID | None:
    if isinstance(row, Project):
        return row.id
    values = inspect(row).dict
    if project_id := values.get("project_id"):
        return UUID(str(project_id))
    if specification_id := values.get("specification_id"):
        version = session.get(Specification, specification_id)
        return version.project_id if version is not None else None
    run = session.get(Run, values["run_id"]) if values.get("run_id") else None
    return run.project_id if run is not None else None


def project_at_work(session: Session) -> UUID | None:
    """Of the run that acts, where one does."""
    actor = who_acts()
    run = session.get(Run, actor.id) if actor.kind is ActorKind.RUN else None
    return run.project_id if run is not None else None


def keep_old_values() -> None:
    """Lets a change of a value that was not loaded load it first: the entry tells what stood there before."""
    for mapper in Base.registry.mappers:
        if told(mapper.local_table.name) is Told.ROW_BY_ROW:  # type: ignore[attr-defined]  # as above
            for attribute in mapper.column_attrs:
                attribute.class_attribute.impl.active_history = True


keep_old_values()
