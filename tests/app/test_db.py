import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from threading import Barrier
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import IntegrityError

from app.db import engine, forget_engine, reading, transaction
from app.migrations import configuration, is_current, migrate
from app.models import Epoch, Kind, Project, Run, Shard, ShardState, Specification, Stage, User
from app.models.consensus_record import NO_PATTERN, TOO_FEW
from app.models.user import Role
from app.queue import PENDING, enqueue

pytestmark = pytest.mark.usefixtures("database")


def project() -> Project:
    return Project(name="Knees", group_by=["marker"])


def test_threads_that_ask_first_at_once_get_the_same_engine():
    """Or one of two engines would keep connections that nobody closes."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            for _ in range(100):
                forget_engine()
                barrier = Barrier(4)

                def ask(barrier: Barrier = barrier) -> Engine:
                    barrier.wait()
                    return engine()

                assert len({id(asked.result()) for asked in [threads.submit(ask) for _ in range(4)]}) == 1
    finally:
        sys.setswitchinterval(interval)


def test_the_migrations_make_the_tables_that_the_models_describe():
    command.check(configuration(engine()))  # raises where they differ


def test_migrating_again_changes_nothing():
    assert is_current(engine())
    migrate(engine())
    assert is_current(engine())


def test_the_tables_can_be_taken_back_and_made_again():
    command.downgrade(configuration(engine()), "base")
    assert set(inspect(engine()).get_table_names()) == {"alembic_version"}
    migrate(engine())
    assert "project" in inspect(engine()).get_table_names()


def test_summaries_that_were_kept_before_are_kept_in_short_too():
    """As they stood before that migration, and again after it is taken back."""
    evidence = [{"explanation_id": str(uuid4()), "numbers": [1]}, {"explanation_id": str(uuid4()), "numbers": [2]}]
    region = {"name": "letter", "evidence": evidence}
    before = {"a": {"regions": [region], "outside": {"percent": 3, "evidence": evidence}}, "b": {"outside": None}}
    with transaction() as session:
        made = project()
        session.add(made)
        session.flush()
        run = Run(project_id=made.id, kind=Kind.ANALYSIS, result={"lvlm": "none", "summaries": before})
        session.add(run)
    command.downgrade(configuration(engine()), "6c2f9a4b7d15")
    migrate(engine())
    with reading() as session:
        result = session.get_one(Run, run.id).result
    assert result["summaries"]["a"]["outside"] == {"percent": 3, "evidence": evidence, "images": 2}
    assert result["short_summaries"]["a"]["regions"] == [{"name": "letter", "evidence": evidence[:1]}]
    assert result["short_summaries"]["a"]["outside"] == {"percent": 3, "evidence": evidence[:1], "images": 2}
    command.downgrade(configuration(engine()), "6c2f9a4b7d15")
    with reading() as session:
        assert session.get_one(Run, run.id).result == {"lvlm": "none", "summaries": before}
    migrate(engine())


def test_what_a_consensus_told_before_is_told_in_the_words_of_now():
    """So that words without a pattern speak against a realignment still."""
    earlier = "The judge's words follow nothing that its clusters have in common; only reviews can dissent."
    with transaction() as session:
        made = project()
        session.add(made)
        session.flush()
        results = {"": {"fell_back": ""}, "few": {"fell_back": f"{earlier} {TOO_FEW}"}, "many": {"fell_back": earlier}}
        runs = {
            name: Run(project_id=made.id, kind=Kind.CONSENSUS, result={**result, "kinds": []})
            for name, result in results.items()
        }
        session.add_all(runs.values())
    command.downgrade(configuration(engine()), "b5d2f7a93c61")
    migrate(engine())
    with reading() as session:
        told = {name: session.get_one(Run, run.id).result for name, run in runs.items()}
    assert told[""] == {"fell_back": "", "kinds": []}
    assert told["few"] == {"fell_back": NO_PATTERN, "needed": TOO_FEW, "kinds": []}
    assert told["many"] == {"fell_back": NO_PATTERN, "needed": "", "kinds": []}
    command.downgrade(configuration(engine()), "b5d2f7a93c61")
    with reading() as session:
        assert session.get_one(Run, runs["few"].id).result == results["few"] | {"kinds": []}
    migrate(engine())


def test_runs_and_all_that_belongs_to_them_outlive_that_exports_are_allowed():
    with transaction() as session:
        made = project()
        session.add(made)
        session.flush()
        session.add(run := Run(project_id=made.id, kind=Kind.REALIGNMENT, stage=Stage.REALIGN, result={"a": [1]}))
        session.flush()
        session.add_all(
            [
                Epoch(run_id=run.id, number=1, figures={}),
                Shard(run_id=run.id, stage=Stage.REALIGN, number=0, first=0, last=1, state=ShardState.DONE, outcome={}),
            ]
        )
        session.add(export := Run(project_id=made.id, kind=Kind.EXPORT, stage=Stage.EXPORT))
        session.flush()
        session.add(Shard(run_id=export.id, stage=Stage.EXPORT, number=0, first=0, last=1, outcome={}))
    command.downgrade(configuration(engine()), "c7e4a1f8d025")
    with pytest.raises(IntegrityError), transaction() as session:
        session.add(Run(project_id=made.id, kind=Kind.EXPORT))
    migrate(engine())
    with transaction() as session:
        session.add(Run(project_id=made.id, kind=Kind.EXPORT, stage=Stage.EXPORT))
    with reading() as session:
        kept = session.get_one(Run, run.id)
        assert (kept.result, kept.stage) == ({"a": [1]}, Stage.REALIGN)
        assert [each.run_id for each in session.scalars(select(Epoch))] == [run.id]
        assert [each.run_id for each in session.scalars(select(Shard))] == [run.id]
    for column, word in (("kind", "nothing"), ("stage", "nothing"), ("state", "nothing")):
        with pytest.raises(IntegrityError), transaction() as session:
            session.execute(text(f"UPDATE run SET {column} = '{word}'"))
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(text("UPDATE shard SET run_id = :other"), {"other": uuid4().hex})


def test_a_moment_comes_back_in_utc_from_any_time_zone():
    moment = datetime(2026, 11, 22, 14, 10, tzinfo=timezone(timedelta(hours=2)))
    with transaction() as session:
        session.add(user := User(name="ada", display_name="Ada", role=Role.ADMIN, password_hash="", session_key=""))
        user.last_seen_at = moment
    with reading() as session:
        if engine().dialect.name == "postgresql":
            session.execute(text("SET TIME ZONE 'Asia/Tokyo'"))  # servers are not all set to UTC
        seen = session.scalars(select(User.last_seen_at)).one()
    assert seen == moment
    assert seen.utcoffset() == timedelta(0)
    assert seen.hour == 12


def test_rows_stay_readable_after_a_reading_session():
    with transaction() as session:
        session.add(project())
    with reading() as session:
        found = session.scalars(select(Project)).one()
    assert (found.name, found.group_by) == ("Knees", ["marker"])


def test_an_error_takes_the_whole_transaction_back():
    with pytest.raises(ZeroDivisionError), transaction() as session:
        session.add(project())
        session.flush()
        raise ZeroDivisionError
    with reading() as session:
        assert session.scalars(select(Project)).all() == []


def test_a_version_number_can_be_given_once():
    with transaction() as session:
        session.add(made := project())
        session.flush()
        session.add(Specification(project_id=made.id, version=1))
    with pytest.raises(IntegrityError), transaction() as session:
        session.add(Specification(project_id=made.id, version=1))


def test_a_row_of_another_table_must_exist():
    with pytest.raises(IntegrityError), transaction() as session:
        session.add(Run(project_id=User.__table__.c.id.default.arg(None), kind="analysis"))


def test_messages_leave_after_the_commit_and_never_after_a_rollback(monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr("app.queue.send", lambda name, *_: sent.append(name) or True)
    with transaction() as session:
        enqueue(session, "kept", "1")
        session.add(project())
        session.flush()
        assert sent == []
    assert sent == ["kept"]
    with pytest.raises(ZeroDivisionError), transaction() as session:
        enqueue(session, "dropped", "1")
        raise ZeroDivisionError
    assert sent == ["kept"]
    assert PENDING not in session.info
