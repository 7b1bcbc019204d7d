"""What several write at once, on PostgreSQL: SQLite lets only one write at a time."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import now, reading, transaction
from app.models import Checkpoint, Origin, Project, Run, Shard, ShardState, Stage, State
from app.runs.actions import cancel_run, start_run
from app.runs.parameters import EvaluationParameters, Input
from worker.method.attribution import Choice
from worker.tasks.register import Made, add_checkpoint
from worker.tasks.sweep import end_cancelled_runs, free_lost_shards

pytestmark = pytest.mark.usefixtures("postgres")
LONG_AGO = timedelta(hours=1)


@pytest.fixture
def run_id() -> UUID:
    """A running run whose only shard is held by a worker that has been silent for long."""
    with transaction() as session:
        session.add(project := Project(name="Digits", group_by=[]))
        session.flush()
        run = start_run(session, project.id, EvaluationParameters(checkpoint_ids=(project.id,)))
        run.state, run.heartbeat_at = State.RUNNING, now() - LONG_AGO
        shard = Shard(run_id=run.id, stage=Stage.PREDICT, number=0, first=0, last=1, claim="slow", outcome={})
        shard.state, shard.heartbeat_at = ShardState.CLAIMED, now() - LONG_AGO
        session.add(shard)
    return run.id


@contextmanager
def meanwhile(do: Callable[[Session], object]) -> Generator[Session]:
    """Another session does that as soon as this one has written, and before this one commits."""

    def in_its_own_session() -> None:
        with transaction() as session:
            do(session)

    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            yield session
            session.flush()
            other = pool.submit(in_its_own_session)
            wait([other], timeout=1)  # it is done, or it waits for what this session holds
        other.result()


def test_the_sweep_leaves_a_shard_that_is_being_finished(run_id):
    with meanwhile(free_lost_shards) as session:
        session.scalars(select(Shard)).one().state = ShardState.DONE
    with reading() as session:
        assert session.scalars(select(Shard.state)).one() is ShardState.DONE


def test_the_sweep_leaves_a_run_that_is_being_finished(run_id):
    with transaction() as session:
        session.get_one(Run, run_id).cancel_requested = True
    with meanwhile(end_cancelled_runs) as session:
        session.get_one(Run, run_id).state = State.SUCCEEDED
    with reading() as session:
        assert session.get_one(Run, run_id).state is State.SUCCEEDED


def test_cancelling_leaves_a_run_that_has_ended_since_it_was_read(run_id):
    with transaction() as session:
        session.get_one(Run, run_id).state = State.QUEUED
    with transaction() as session:
        run = session.get_one(Run, run_id)
        with transaction() as worker:
            worker.get_one(Run, run_id).state = State.SUCCEEDED
        cancel_run(session, run)
    with reading() as session:
        run = session.get_one(Run, run_id)
        assert (run.state, run.cancel_requested) == (State.SUCCEEDED, False)


def test_checkpoints_that_are_made_at_once_get_numbers_of_their_own(run_id):
    made = Made(
        name="mlp",
        origin=Origin.TRAINED,
        architecture="mlp",
        input=Input(size=28, channels=1, mean=(0.0,), std=(1.0,)),
        weights="0" * 64,
        choice=Choice("deeplift_shap", 0.0, ""),
    )

    def add(session: Session) -> None:
        add_checkpoint(session, session.get_one(Run, run_id), made)

    with meanwhile(add) as session:
        add(session)
    with reading() as session:
        assert set(session.scalars(select(Checkpoint.number))) == {1, 2}
