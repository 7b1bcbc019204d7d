"""A real worker on a real broker: a run survives its worker and a lost message, and stops when it is told to.

That it survives its worker is seen with PostgreSQL here, with SQLite where a clinician goes round the loop.
"""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from app.db import reading, transaction
from app.models import Project, Run, State
from app.runs.actions import cancel_run, start_run
from app.runs.parameters import ImportParameters, Input, TrainingParameters
from app.system import findings
from tests.digits import write_some_digits
from tests.workers import StartWorker, kill

PATIENCE = 120


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    write_some_digits(folder, every_training=12, every_other=12)
    return folder


def run_of(run_id: UUID) -> Run:
    with reading() as session:
        return session.get_one(Run, run_id)


def wait_until(run_id: UUID, holds: Callable[[Run], bool]) -> Run:
    deadline = time.monotonic() + PATIENCE
    while not holds(run := run_of(run_id)):
        assert time.monotonic() < deadline, f"{run.state} {run.stage} {run.done}/{run.total} {run.error}"
        time.sleep(0.2)
    return run


def training_run(digits: Path, epochs: int) -> UUID:
    with transaction() as session:
        project = Project(name="Digits", group_by=["decoy"])
        session.add(project)
        session.flush()
        imported = start_run(session, project.id, ImportParameters(name="digits", path=str(digits))).id
    wait_until(imported, lambda run: run.state is State.SUCCEEDED)
    shape = Input(size=28, channels=1, mean=(0.0,), std=(1.0,))
    with transaction() as session:
        training = TrainingParameters(name="cnn", architecture="small_cnn", input=shape, epochs=epochs)
        return start_run(session, project.id, training).id


@pytest.mark.usefixtures("postgres")
def test_a_run_outlives_its_killed_worker(digits, start_worker):
    first = start_worker()
    run_id = training_run(digits, epochs=12)
    wait_until(run_id, lambda run: run.done > 0)
    kill(first)
    kept = run_of(run_id)
    start_worker()
    run = wait_until(run_id, lambda run: run.state.is_final)
    assert run.state is State.SUCCEEDED, run.error_details
    assert kept.state is State.RUNNING
    assert kept.done > 0


@pytest.mark.usefixtures("sqlite")
def test_a_message_lost_with_the_broker_is_sent_again(digits, start_worker, monkeypatch):
    start_worker()
    monkeypatch.setattr("app.queue.send", lambda name, arguments, queue: False)  # noqa: ARG005  the broker is away
    run_id = training_run(digits, epochs=2)
    assert wait_until(run_id, lambda run: run.state.is_final).state is State.SUCCEEDED


@pytest.mark.usefixtures("sqlite")
def test_a_running_run_stops_when_it_is_cancelled(digits, start_worker):
    start_worker()
    run_id = training_run(digits, epochs=500)
    wait_until(run_id, lambda run: run.done > 0)
    with transaction() as session:
        cancel_run(session, session.get_one(Run, run_id))
    run = wait_until(run_id, lambda run: run.state.is_final)
    assert run.state is State.CANCELLED
    assert 0 < run.done < 500


@pytest.mark.usefixtures("sqlite")
def test_a_worker_that_runs_says_so_with_its_queues(start_worker: StartWorker) -> None:
    assert findings.workers().found == "none answers."
    start_worker()
    deadline = time.monotonic() + PATIENCE
    while not (found := findings.answering()):
        assert time.monotonic() < deadline, "The worker doesn't answer."
    assert [list(queues) for queues in found.values()] == [["cpu", "gpu"]]
    assert findings.workers(found).ok
    assert findings.messages() == {"cpu": 0, "gpu": 0}
