"""Runs as a state machine, on SQLite and PostgreSQL; the stages are two of the test's own."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound, OperationalError
from sqlalchemy.orm import Session

from app.db import now, reading, transaction
from app.languages.messages import Message
from app.models import ActorKind, AuditEntry, Project, Run, Shard, ShardState, Stage, State
from app.models.run import MATERIAL
from app.runs.actions import cancel_run, start_run
from app.runs.parameters import EvaluationParameters
from worker.tasks import engine
from worker.tasks.here import run_here
from worker.tasks.job import CancelledError, Job, Plan, RefusedError, Write
from worker.tasks.sweep import end_cancelled_runs, free_lost_shards

pytestmark = pytest.mark.usefixtures("database")


class Recorder:
    """Stands for a stage's module: 5 items in shards of 2, and what was done with them."""

    def __init__(self, sequential: bool = False) -> None:
        self.sequential = sequential
        self.worked: list[tuple[int, int, int]] = []
        self.previous: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.unplanned: Exception | None = None

    def plan(self, session: Session, run: Run) -> Plan:
        if self.unplanned is not None:
            raise self.unplanned
        return Plan(5, 2, self.sequential)

    def work(self, job: Job) -> Write:
        if self.error is not None:
            raise self.error
        self.worked.append((job.number, job.first, job.last))
        self.previous.append(job.previous)

        def write(session: Session, run: Run) -> dict[str, Any]:
            run.result = {**run.result, str(job.number): run.result.get(str(job.number), 0) + 1}
            return {"number": job.number}

        return write


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[Recorder, Recorder]]:
    first, second = Recorder(), Recorder(sequential=True)
    for stage, recorder in ((Stage.PREDICT, first), (Stage.MEASURE, second)):
        module = ModuleType(f"worker.tasks.{stage.value}")
        module.plan, module.work = recorder.plan, recorder.work  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return first, second


def started() -> UUID:
    with transaction() as session:
        project = Project(name="Digits", group_by=[])
        session.add(project)
        session.flush()
        parameters = EvaluationParameters(checkpoint_ids=(project.id,))
        return start_run(session, project.id, parameters).id


def run_of(run_id: UUID) -> Run:
    with reading() as session:
        return session.get_one(Run, run_id)


def written(run_id: UUID) -> dict[str, Any]:
    """How often the stages wrote each shard's result."""
    return {key: value for key, value in run_of(run_id).result.items() if key != MATERIAL}


def shards_of(run_id: UUID) -> list[Shard]:
    with reading() as session:
        return list(session.scalars(select(Shard).where(Shard.run_id == run_id).order_by(Shard.stage, Shard.number)))


def test_a_run_goes_through_all_shards_of_all_stages(stages):
    run_id = started()
    run_here(run_id)
    assert stages[0].worked == [(0, 0, 2), (1, 2, 4), (2, 4, 5)]
    assert stages[1].worked == [(0, 0, 2), (1, 2, 4), (2, 4, 5)]
    run = run_of(run_id)
    assert (run.state, run.done, run.total) == (State.SUCCEEDED, 5, 5)
    assert all(shard.state is ShardState.DONE for shard in shards_of(run_id))


def test_the_audit_log_tells_what_the_run_did_as_its_own_doing(stages):
    run_id = started()
    run_here(run_id)
    with reading() as session:
        of_run = select(AuditEntry).where(AuditEntry.thing == "run").order_by(AuditEntry.number)
        added, *changed = session.scalars(of_run).all()
    assert (added.actor, added.after["state"]) == (ActorKind.COMMAND, "queued")
    assert {(entry.actor, entry.actor_id, entry.thing_id) for entry in changed} == {(ActorKind.RUN, run_id, run_id)}
    states = [entry.after["state"] for entry in changed if "state" in entry.after]
    stages_begun = [entry.after["stage"] for entry in changed if "stage" in entry.after]
    assert (states, stages_begun) == (["running", "succeeded"], ["predict", "measure"])


def test_a_sequential_stage_hands_its_outcome_to_the_next_shard(stages):
    run_here(started())
    assert stages[1].previous == [{}, {"number": 0}, {"number": 1}]


def test_a_shard_whose_turn_has_not_come_is_left_alone(stages):
    stages[0].sequential = True
    run_id = started()
    engine.begin(run_id)
    engine.run_shard(run_id, Stage.PREDICT, 1)
    assert stages[0].worked == []
    run_here(run_id)
    assert stages[0].previous == [{}, {"number": 0}, {"number": 1}]


def test_what_a_stage_needs_is_loaded_before_a_row_is_locked(stages, monkeypatch: pytest.MonkeyPatch):
    """With torch that takes seconds, in which a person's answer would wait for the database."""
    locked, loaded = [False], dict[str, bool]()

    @contextmanager
    def watched() -> Generator[Session]:
        with transaction() as session:
            locked[0] = True
            yield session
        locked[0] = False

    def load(name: str) -> ModuleType:
        loaded.setdefault(name, locked[0])
        return import_module(name)

    monkeypatch.setattr(engine, "transaction", watched)
    monkeypatch.setattr(engine, "import_module", load)
    run_here(started())
    assert loaded == {"worker.tasks.predict": False, "worker.tasks.measure": False}


def test_a_run_begun_twice_has_its_shards_once(stages):
    run_id = started()
    engine.begin(run_id)
    engine.begin(run_id)
    assert len(shards_of(run_id)) == 3


def test_a_shard_delivered_twice_is_done_once(stages):
    run_id = started()
    engine.begin(run_id)
    engine.run_shard(run_id, Stage.PREDICT, 0)
    engine.run_shard(run_id, Stage.PREDICT, 0)
    assert stages[0].worked == [(0, 0, 2)]
    assert written(run_id) == {"0": 1}


def test_a_shard_that_another_worker_holds_is_left_alone(stages):
    run_id = started()
    engine.begin(run_id)
    with transaction() as session:
        assert engine.take(session, run_id, Stage.PREDICT, 0, "another") is not None
    engine.run_shard(run_id, Stage.PREDICT, 0)
    assert stages[0].worked == []


def test_whoever_does_a_run_here_waits_for_the_worker_that_holds_its_last_shard(stages, monkeypatch):
    run_id = started()
    engine.begin(run_id)
    with transaction() as session:
        taken = engine.take(session, run_id, Stage.PREDICT, 2, "another")
    assert taken is not None

    def meanwhile(seconds: float) -> None:
        del seconds
        engine.finish(run_id, Stage.PREDICT, 2, "another", stages[0].work(taken[1]))

    monkeypatch.setattr("time.sleep", meanwhile)
    run_here(run_id)
    assert run_of(run_id).state is State.SUCCEEDED


def test_a_result_that_comes_after_the_shard_was_taken_over_is_dropped(stages):
    run_id = started()
    engine.begin(run_id)
    with transaction() as session:
        taken = engine.take(session, run_id, Stage.PREDICT, 0, "slow")
    assert taken is not None
    silence(run_id)
    engine.run_shard(run_id, Stage.PREDICT, 0)
    engine.finish(run_id, Stage.PREDICT, 0, "slow", stages[0].work(taken[1]))
    assert written(run_id) == {"0": 1}


def silence(run_id: UUID) -> None:
    """As if the workers of this run had been killed an hour ago."""
    with transaction() as session:
        for shard in session.scalars(select(Shard).where(Shard.run_id == run_id)):
            shard.heartbeat_at = now() - timedelta(hours=1)
        session.get_one(Run, run_id).heartbeat_at = now() - timedelta(hours=1)


def test_the_shard_of_a_killed_worker_is_done_by_another(stages):
    run_id = started()
    engine.begin(run_id)
    with transaction() as session:
        engine.take(session, run_id, Stage.PREDICT, 1, "killed")
    silence(run_id)
    with transaction() as session:
        free_lost_shards(session)
    run_here(run_id)
    assert run_of(run_id).state is State.SUCCEEDED
    assert written(run_id) == {"0": 2, "1": 2, "2": 2}


def test_whoever_does_a_run_here_takes_over_from_a_killed_worker(stages):
    run_id = started()
    engine.begin(run_id)
    with transaction() as session:
        engine.take(session, run_id, Stage.PREDICT, 1, "killed")
    silence(run_id)
    run_here(run_id)
    assert run_of(run_id).state is State.SUCCEEDED


def test_an_error_of_a_worker_that_lost_its_shard_does_not_end_the_run(stages, monkeypatch):
    run_id = started()
    engine.begin(run_id)

    def lose_it(job: Job) -> Write:
        silence(run_id)
        with transaction() as session:
            assert engine.take(session, run_id, Stage.PREDICT, job.number, "another") is not None
        raise ZeroDivisionError

    monkeypatch.setattr(sys.modules["worker.tasks.predict"], "work", lose_it)
    engine.run_shard(run_id, Stage.PREDICT, 0)
    assert run_of(run_id).state is State.RUNNING
    assert shards_of(run_id)[0].claim == "another"


def test_a_shard_whose_database_did_not_answer_is_anyones_again(stages):
    stages[0].error = OperationalError("SELECT 1", {}, Exception("the server closed the connection"))
    run_id = started()
    engine.begin(run_id)
    engine.run_shard(run_id, Stage.PREDICT, 0)
    assert (run_of(run_id).state, shards_of(run_id)[0].state) == (State.RUNNING, ShardState.PENDING)
    stages[0].error = None
    run_here(run_id)
    assert run_of(run_id).state is State.SUCCEEDED


def test_a_database_that_never_answers_a_shard_ends_the_run(stages):
    stages[0].error = OperationalError("SELECT 1", {}, Exception("the server closed the connection"))
    run_id = started()
    run_here(run_id)
    assert run_of(run_id).state is State.FAILED
    assert "interrupted 3 times" in run_of(run_id).error


def test_a_shard_that_kills_three_workers_ends_the_run_with_a_sentence(stages):
    run_id = started()
    engine.begin(run_id)
    for attempt in range(4):
        with transaction() as session:
            engine.take(session, run_id, Stage.PREDICT, 1, f"attempt {attempt}")
        silence(run_id)
    run = run_of(run_id)
    assert run.state is State.FAILED
    assert "interrupted 3 times" in run.error


def test_an_error_fails_the_run_and_keeps_its_details(stages):
    stages[0].error = ZeroDivisionError("division by zero")
    run_id = started()
    run_here(run_id)
    run = run_of(run_id)
    assert run.state is State.FAILED
    assert "division by zero" in run.error
    assert "kept" in run.error
    assert "Traceback" in run.error_details


def test_a_run_that_can_not_be_planned_fails_with_a_sentence(stages):
    stages[0].unplanned = NoResultFound("No row was found when one was required")
    run_id = started()
    run_here(run_id)
    run = run_of(run_id)
    assert run.state is State.FAILED
    assert "No row was found" in run.error
    assert "Traceback" in run.error_details
    assert (run.stage, shards_of(run_id)) == (None, [])


def test_a_refused_plan_says_why(stages):
    stages[0].unplanned = RefusedError(Message("There are no images."))
    run_id = started()
    engine.begin(run_id)
    assert (run_of(run_id).state, run_of(run_id).error) == (State.FAILED, "There are no images.")


def test_a_refusal_keeps_what_it_found(stages):
    stages[0].error = RefusedError(Message("Three rows are broken."), {"problems": [1, 2, 3]})
    run_id = started()
    run_here(run_id)
    assert run_of(run_id).error.startswith("Three rows are broken.")
    assert run_of(run_id).result["problems"] == [1, 2, 3]


def test_cancelling_a_queued_run_ends_it_at_once(stages):
    run_id = started()
    with transaction() as session:
        cancel_run(session, session.get_one(Run, run_id))
    engine.begin(run_id)
    assert run_of(run_id).state is State.CANCELLED
    assert shards_of(run_id) == []


def test_cancelling_a_running_run_keeps_what_is_done(stages):
    run_id = started()
    engine.begin(run_id)
    engine.run_shard(run_id, Stage.PREDICT, 0)
    with transaction() as session:
        cancel_run(session, session.get_one(Run, run_id))
    run_here(run_id)
    run = run_of(run_id)
    assert (run.state, run.done, written(run_id)) == (State.CANCELLED, 2, {"0": 1})


def test_a_cancelled_shard_lays_its_work_down(stages):
    stages[0].error = CancelledError()
    run_id = started()
    engine.begin(run_id)
    with transaction() as session:
        session.get_one(Run, run_id).cancel_requested = False
    engine.run_shard(run_id, Stage.PREDICT, 0)
    assert shards_of(run_id)[0].state is ShardState.PENDING


def test_a_cancelled_run_ends_even_when_its_workers_are_gone(stages):
    run_id = started()
    engine.begin(run_id)
    with transaction() as session:
        engine.take(session, run_id, Stage.PREDICT, 0, "killed")
        cancel_run(session, session.get_one(Run, run_id))
    silence(run_id)
    with transaction() as session:
        end_cancelled_runs(session)
    assert run_of(run_id).state is State.CANCELLED


def test_a_stage_without_anything_to_do_is_passed_over(stages, monkeypatch):
    monkeypatch.setattr(sys.modules["worker.tasks.predict"], "plan", lambda *_: Plan(0, 1))
    run_id = started()
    run_here(run_id)
    assert stages[0].worked == []
    assert run_of(run_id).state is State.SUCCEEDED
