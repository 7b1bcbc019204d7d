"""Whatever a session commits is in the log, in the same transaction, and nothing else is."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, update

from app.accounts.actions import create_token, create_user, set_password, switch_off
from app.audit.acting import acting, of_run
from app.db import now, reading, transaction
from app.models import (
    Action,
    ActorKind,
    AuditEntry,
    Cluster,
    Image,
    Kind,
    Project,
    Review,
    Role,
    Run,
    Specification,
    SpecificationEntry,
    Split,
    State,
    TargetClass,
    Token,
    User,
)
from app.runs.actions import end_run
from app.runs.parameters import EntryText
from app.specifications.actions import save_version
from app.specifications.examples import replace_examples
from tests.factories import PASSWORD, add_images, add_project, add_run, add_user, training_parameters, whole_loop

pytestmark = pytest.mark.usefixtures("database")


def log() -> list[AuditEntry]:
    with reading() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.number)))


def since(number: int) -> list[AuditEntry]:
    return log()[number:]


def made(*rows: Any) -> int:
    """Adds rows and returns how long the log is then."""
    with transaction() as session:
        session.add_all(rows)
    return len(log())


def project() -> Project:
    return Project(name="Knees", group_by=["letter"])


def test_what_is_added_is_told_with_its_values():
    made(project())
    (entry,) = log()
    assert (entry.action, entry.thing, entry.before) == (Action.ADDED, "project", {})
    assert (entry.after["name"], entry.after["group_by"]) == ("Knees", ["letter"])
    assert entry.thing_id == entry.project_id
    assert str(entry.thing_id) == entry.after["id"]


def test_what_is_changed_is_told_with_what_stood_before_and_nothing_else():
    start = made(project())
    with transaction() as session:
        session.scalars(select(Project)).one().lvlm = "embedded"
    (entry,) = since(start)
    assert (entry.action, entry.before, entry.after) == (Action.CHANGED, {"lvlm": "none"}, {"lvlm": "embedded"})


def test_what_is_removed_is_told_as_it_stood():
    start = made(User(name="ada", display_name="Ada", role=Role.ADMIN, password_hash="", session_key=""))
    with transaction() as session:
        session.delete(session.scalars(select(User)).one())
    (entry,) = since(start)
    assert (entry.action, entry.before["display_name"], entry.after) == (Action.REMOVED, "Ada", {})


def test_a_thing_that_is_flushed_often_has_one_entry():
    start = made(project())
    with transaction() as session:
        known = session.scalars(select(Project)).one()
        for task in ("first", "second", "third"):
            known.task = task
            session.flush()
        fresh = TargetClass(project_id=known.id, position=0, name="wrong")
        session.add(fresh)
        session.flush()
        fresh.name = "right"
    changed, added = since(start)
    assert (changed.before, changed.after) == ({"task": ""}, {"task": "third"})
    assert (added.action, added.before, added.after["name"]) == (Action.ADDED, {}, "right")


def test_what_comes_to_nothing_in_the_end_has_none():
    start = made(project())
    with transaction() as session:
        known = session.scalars(select(Project)).one()
        known.task = "changed"
        session.flush()
        known.task = ""
        session.add(fresh := TargetClass(project_id=known.id, position=0, name="for a moment"))
        session.flush()
        session.delete(fresh)
    assert since(start) == []


def test_a_change_of_what_was_not_loaded_tells_what_stood_there():
    start = made(project())
    with transaction() as session:
        known = session.scalars(select(Project)).one()
        session.expire(known)
        known.task = "new"
    (entry,) = since(start)
    assert (entry.before, entry.after) == ({"task": ""}, {"task": "new"})


def test_a_rollback_leaves_no_entry():
    with pytest.raises(ZeroDivisionError), transaction() as session:
        session.add(project())
        session.flush()
        raise ZeroDivisionError
    assert log() == []
    start = made(project())
    assert start == 1


def test_reading_and_signs_of_life_leave_no_entry():
    with transaction() as session:
        known = add_project(session)
        run = add_run(session, known, training_parameters(), Kind.TRAINING, state=State.RUNNING)
    start = len(log())
    with transaction() as session:
        session.execute(update(Run).where(Run.id == run.id).values(heartbeat_at=now()))
        running = session.get_one(Run, run.id)
        running.heartbeat_at, running.done, running.total = now(), 3, 7
    assert since(start) == []


def test_a_run_s_states_are_told_and_its_long_result_by_its_digest():
    with transaction() as session:
        known = add_project(session)
        run = add_run(session, known, training_parameters(), Kind.TRAINING, state=State.RUNNING)
    start = len(log())
    with acting(of_run(run.id)), transaction() as session:
        running = session.get_one(Run, run.id)
        running.result = {"secret of the trade": [0.5, 0.1], "trust": {"override": "It is urgent."}}
        end_run(session, running, State.FAILED, "It broke.", "Traceback ...")
    (entry,) = since(start)
    assert (entry.actor, entry.actor_id, entry.project_id) == (ActorKind.RUN, run.id, known.id)
    assert (entry.before["state"], entry.after["state"]) == ("running", "failed")
    assert entry.after["error"] == "It broke."
    assert len(entry.after["result"]["sha256"]) == 64
    assert entry.after["result"]["trust"] == {"override": "It is urgent."}
    assert "trade" not in json.dumps(entry.after)


def test_secrets_are_never_written_but_that_they_changed_is():
    with transaction() as session:
        user = create_user(session, "ada", "Ada", Role.CLINICIAN, PASSWORD)
        _, secret = create_token(session, user, "nightly import")
    first = (user.password_hash, user.session_key)
    start = len(log())
    with transaction() as session:
        set_password(session, session.get_one(User, user.id), "another long password")
    (entry,) = since(start)
    assert entry.before == entry.after == {"password_hash": "not shown", "session_key": "not shown"}
    with reading() as session:
        secrets = [*first, PASSWORD, secret, session.scalars(select(Token.hash)).one()]
        now_stored = session.get_one(User, user.id)
        secrets += [now_stored.password_hash, now_stored.session_key]
    text = "".join(json.dumps([each.before, each.after]) for each in log())
    assert all(secret not in text for secret in secrets)
    assert "nightly import" in text


def test_tokens_of_an_account_that_is_switched_off_are_told_one_by_one():
    with transaction() as session:
        add_user(session, "boss", Role.ADMIN)
        user = add_user(session)
        for name in ("one", "two"):
            create_token(session, user, name)
    start = len(log())
    with transaction() as session:
        switch_off(session, session.get_one(User, user.id))
    entries = since(start)
    assert sorted(entry.thing for entry in entries) == ["token", "token", "user_account"]
    assert all(list(entry.after) == ["revoked_at"] for entry in entries if entry.thing == "token")


def test_a_version_of_the_specification_is_told_with_its_words_and_its_project():
    with transaction() as session:
        user, known = add_user(session), add_project(session)
    start = len(log())
    with transaction() as session:
        known = session.get_one(Project, known.id)
        words = [EntryText(class_id=each.id, spurious="letters") for each in session.scalars(select(TargetClass))]
        user = session.get_one(User, user.id)
        session.refresh(known, ["classes"])
        save_version(session, known, user, words, "They are no disease.")
    entries = since(start)
    assert [entry.thing for entry in entries] == ["specification", "specification_entry", "specification_entry"]
    assert {entry.project_id for entry in entries} == {known.id}
    assert [entry.after.get("spurious") for entry in entries] == [None, "letters", "letters"]
    assert entries[0].after["reason"] == "They are no disease."


def test_edited_examples_of_the_judge_are_told_as_what_changed_in_them():
    with transaction() as session:
        known = add_project(session)
        replace_examples(session, known, [("a letter", "spurious"), ("bone", "relevant"), ("?", "uncertain")])
    start = len(log())
    with transaction() as session:
        replace_examples(session, known, [("a letter", "spurious"), ("the joint", "relevant")])
    changed, removed = since(start)
    assert (changed.before, changed.after) == ({"text": "bone"}, {"text": "the joint"})
    assert (removed.action, removed.before["text"]) == (Action.REMOVED, "?")


def test_rows_that_runs_write_by_the_thousand_are_counted_in_one_entry():
    with transaction() as session:
        loop = whole_loop(session)
    start = len(log())
    with acting(of_run(loop.analysis.id)), transaction() as session:
        image = session.scalars(select(Image).limit(1)).one()
        columns = {column.name: getattr(image, column.name) for column in Image.__table__.columns}
        rows = [{**columns, "id": UUID(int=number), "path": f"{number}"} for number in range(1, 8)]
        session.execute(insert(Image), rows)
        clusters = session.scalars(select(Cluster.id)).all()
        session.execute(update(Cluster).where(Cluster.id == clusters[0]).values(words="a letter"))
        session.execute(update(Cluster), [{"id": each, "words": "bone"} for each in clusters[1:3]])
        session.scalars(select(Cluster).where(Cluster.id == clusters[3])).one().words = "skin"
    (entry,) = since(start)
    assert (entry.action, entry.thing, entry.before) == (Action.WROTE, "rows", {})
    assert entry.after == {"image": {"added": 7}, "cluster": {"changed": 4}}
    assert entry.project_id == loop.project.id


def test_a_statement_on_what_is_told_row_by_row_is_at_least_counted():
    with transaction() as session:
        loop = whole_loop(session)
        reviews = len(session.scalars(select(Review)).all())
    start = len(log())
    with transaction() as session:
        session.execute(update(Run).values(error="all of them"))
        session.execute(delete(Review))
    (entry,) = since(start)
    assert entry.after["review"] == {"removed": reviews}
    assert entry.after["run"]["changed"] > 3
    assert loop.project.name


def test_the_rows_of_a_data_set_are_counted_and_the_set_itself_told():
    with transaction() as session:
        known = add_project(session)
    start = len(log())
    with transaction() as session:
        known = session.get_one(Project, known.id)
        session.refresh(known, ["classes"])
        add_images(session, known, 2, (Split.TEST,))
    dataset, rows = since(start)
    assert (dataset.thing, dataset.action, dataset.project_id) == ("dataset", Action.ADDED, known.id)
    assert list(rows.after) == ["image"]


def test_specification_words_of_any_kind_come_back_as_they_were():
    with transaction() as session:
        known = add_project(session)
        session.add(version := Specification(project_id=known.id, version=1))
        session.flush()
        words = 'µ – “Ω” 🦴 \\ " \t\n</script>'
        session.add(
            SpecificationEntry(specification_id=version.id, class_id=known.classes[0].id, spurious=words, notes="")
        )
    assert log()[-1].after["spurious"] == words
