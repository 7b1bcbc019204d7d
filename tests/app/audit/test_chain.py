"""The chain holds under writers at once, can't be written over, and tells where it was broken all the same."""

import hashlib
import json
import threading
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from app.audit import chain
from app.audit.acting import SWEEP, acting
from app.audit.chain import ORIGIN, Checked, Link, append, canonical, follow, head, number_of, plain
from app.audit.export import lines
from app.audit.recording import note
from app.db import engine, reading, transaction
from app.models import Action, AuditEntry

pytestmark = pytest.mark.usefixtures("database")
TABLE = AuditEntry.__table__


def write(*things: str) -> None:
    """An entry for each, all in one transaction."""
    with transaction() as session:
        for thing in things:
            note(session, chain.Fact(Action.EXPORTED, thing, after={"share": 0.1 + 0.2, "text": "µ “x”"}))


def check(most: int = 1000) -> Checked:
    checked = Checked(Link(), done=False)
    while not checked.done:
        with reading() as session:
            checked = follow(session, checked.last, most)
    return checked


@pytest.fixture
def forged() -> Any:
    """Lets a test do what only the keeper of the database could: take the triggers away."""
    with engine().begin() as connection:
        if connection.dialect.name == "sqlite":
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER USER"))

    def forge(statement: Any) -> None:
        with engine().begin() as connection:
            connection.execute(statement)

    return forge


def test_an_entry_s_hash_is_what_anybody_can_work_out_from_the_export():
    write("first", "second")
    previous = ORIGIN
    for number, line in enumerate(lines(), 1):
        entry = json.loads(line)
        given = entry.pop("hash")
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        assert given == hashlib.sha256(text.encode()).hexdigest()
        assert (entry["number"], entry["previous"]) == (number, previous)
        previous = given
    with reading() as session:
        assert head(session) == Link(2, previous)


def test_a_whole_chain_is_followed_to_its_head_in_portions_of_any_size():
    assert check() == Checked(Link(), done=True)
    write("a", "b", "c")
    write("d")
    for most in (1, 2, 3, 4, 5):
        assert check(most).last.number == 4
        assert not check(most).broken


def test_nothing_that_was_written_can_be_changed_or_removed():
    write("a", "b")
    emptied = text("TRUNCATE audit_entry") if engine().dialect.name == "postgresql" else text("DELETE FROM audit_entry")
    for statement in (update(TABLE).values(who="nobody"), delete(TABLE).where(TABLE.c.number == 2), emptied):
        with pytest.raises(DBAPIError, match="only grows"), engine().begin() as connection:
            connection.execute(statement)
    assert check().last.number == 2


def test_an_entry_can_not_be_replaced_or_doubled():
    write("a")
    row = dict(next(iter(rows())))
    statements: list[Any] = [insert(TABLE).values(row)]
    if engine().dialect.name == "sqlite":
        statements.append(insert(TABLE).values(row).prefix_with("OR REPLACE"))
        statements.append(insert(TABLE).values({**row, "number": 2}).prefix_with("OR REPLACE"))
    for statement in statements:
        with pytest.raises(DBAPIError), engine().begin() as connection:
            connection.execute(statement)
    assert check().last.number == 1


def rows() -> list[Any]:
    with reading() as session:
        return list(session.execute(select(TABLE).order_by(TABLE.c.number)).mappings())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("who", "somebody else"),
        ("after", {"share": 0.4}),
        ("at", datetime.fromisoformat("2020-01-01T00:00:00+00:00")),
        ("project_id", None),
        ("action", Action.REMOVED),
        ("hash", "f" * 64),
    ],
)
def test_a_changed_entry_is_found(forged, column, value):
    with transaction() as session:
        for number in range(5):
            note(session, chain.Fact(Action.EXPORTED, "x", project_id=chain.UUID(int=number + 1)))
    forged(update(TABLE).where(TABLE.c.number == 3).values({column: value}))
    found = check(most=2)
    assert (found.number, found.last.number) == (3, 2)
    assert "changed" in found.broken


def test_an_entry_that_was_changed_and_hashed_again_is_found_by_the_next_one(forged):
    write("a", "b", "c")
    row = {**rows()[1], "who": "somebody else"}
    forged(update(TABLE).where(TABLE.c.number == 2).values(who="somebody else", hash=chain.hash_of(row)))
    found = check()
    assert found.number == 3
    assert "does not follow" in found.broken


def test_missing_entries_are_told(forged):
    write("a", "b", "c", "d", "e")
    forged(delete(TABLE).where(TABLE.c.number == 2))
    assert check().broken == "Entry 2 is missing."
    forged(delete(TABLE).where(TABLE.c.number == 3))
    assert check().broken == "Entries 2 to 3 are missing."
    forged(delete(TABLE).where(TABLE.c.number == 1))
    assert check().broken == "Entries 1 to 3 are missing."


def test_entries_that_changed_places_are_found(forged):
    write("a", "b", "c")
    for old, new in ((1, 9), (2, 1), (9, 2)):
        forged(update(TABLE).where(TABLE.c.number == old).values(number=new))
    assert check().number == 1


def test_an_entry_that_was_put_in_is_found(forged):
    write("a", "b", "c")
    for old, new in ((3, 4), (2, 3)):
        forged(update(TABLE).where(TABLE.c.number == old).values(number=new))
    row = {**rows()[0], "number": 2, "previous": rows()[0]["hash"], "who": "never was"}
    forged(insert(TABLE).values({**row, "hash": chain.hash_of(row)}))
    assert check().number == 3


def test_what_can_not_even_be_read_is_found(forged):
    write("a", "b", "c", "d")
    if engine().dialect.name == "sqlite":
        forged(text("UPDATE audit_entry SET after = 'no JSON' WHERE number = 3"))
    else:
        forged(text("ALTER TABLE audit_entry DROP CONSTRAINT ck_audit_entry_action"))
        forged(text("UPDATE audit_entry SET action = 'made up' WHERE number = 3"))
    found = check()
    assert (found.number, found.last.number) == (3, 2)
    assert "can’t be read" in found.broken


def test_an_end_that_was_cut_off_shows_only_beside_a_hash_that_was_kept(forged):
    write("a", "b", "c")
    kept = check().last
    forged(delete(TABLE).where(TABLE.c.number == 3))
    assert not check().broken
    with reading() as session:
        assert number_of(session, kept.hash) is None
    write("another third")
    assert not check().broken
    with reading() as session:
        assert number_of(session, kept.hash) is None
        assert number_of(session, check().last.hash) == 3


def test_writers_at_once_make_one_chain_without_gaps():
    failures: list[Exception] = []

    def work(name: str) -> None:
        try:
            for number in range(25):
                write(*(f"{name} {number}" for _ in range(1 + number % 3)))
        except DBAPIError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    checked = check(most=7)
    assert (checked.broken, checked.last.number) == ("", 2 * sum(1 + number % 3 for number in range(25)))


def test_a_second_writer_waits_for_the_first_one_s_commit():
    """On PostgreSQL, where two transactions can be open at once; SQLite lets only one begin."""
    if engine().dialect.name == "sqlite":
        return
    fact = chain.Fact(Action.EXPORTED, "x")
    with engine().begin() as first:
        append(first, SWEEP, [fact])
        second = threading.Thread(target=write, args=("y",))
        second.start()
        second.join(0.5)
        assert second.is_alive()
    second.join(10)
    assert [row["thing"] for row in rows()] == ["x", "y"]
    assert not check().broken


def test_the_check_holds_only_a_portion_in_memory():
    write(*(str(number) for number in range(30)))
    with reading() as session:
        checked = follow(session, Link(), 10)
    assert (checked.last.number, checked.done) == (10, False)


def test_canonical_json_is_the_same_whatever_the_order_and_holds_any_number():
    assert canonical({"b": [1, 2.5], "a": "µ"}) == canonical({"a": "µ", "b": (1, 2.5)})
    assert canonical({"x": float("nan"), "y": float("-inf")}) == '{"x":"nan","y":"-inf"}'
    with pytest.raises(TypeError, match="can't hold a bytes"):
        plain(b"a blob")


def test_the_entry_names_who_acts():
    with acting(SWEEP):
        write("x")
    with reading() as session:
        entry = session.scalars(select(AuditEntry)).one()
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 1
    assert (entry.actor.value, entry.who) == ("sweep", "sweep")
