"""A checkpoint trained again from what is stored with its run."""

from uuid import UUID

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Checkpoint, Origin, Run
from app.runs.parameters import AcceptanceBar, RealignmentParameters
from tests import factories
from tests.worker.tasks import small
from worker.method import guard
from worker.tasks.job import RefusedError
from worker.tasks.machine import MACHINES, Machine, machines_of, this_machine
from worker.tasks.repeat import repeat

pytestmark = pytest.mark.usefixtures("sqlite")
LENIENT = AcceptanceBar(
    worst_group_rises=-1, accuracy_falls_at_most=1, group_falls_at_most=1, agreement_rises=-1, answers_flip_at_most=1
)


@pytest.fixture
def realigned(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """In shards of one epoch, of which the guard takes the second."""
    del sqlite
    monkeypatch.setattr(guard, "choose", lambda _, __, seen: guard.Choice(min(2, len(seen)), ()))
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1.0)
    project = small.add_project()
    critique = small.add_critique(project, small.add_checkpoint(project))
    return small.ended(
        project, RealignmentParameters(critique_id=critique, epochs=3, batch_size=4, bar=LENIENT, seed=5)
    )


def checkpoints_of(run: Run) -> dict[Origin, UUID]:
    with reading() as session:
        return {each.origin: each.id for each in session.scalars(select(Checkpoint).where(Checkpoint.run_id == run.id))}


@pytest.mark.parametrize("origin", [Origin.REALIGNED, Origin.CONTROL])
def test_a_realignment_that_was_cut_into_shards_comes_out_the_same_to_the_bit(realigned, origin):
    assert repeat(checkpoints_of(realigned)[origin]).is_the_same


def test_a_first_training_comes_out_the_same_although_images_came_since():
    project = small.add_project()
    made = small.add_checkpoint(project)
    with transaction() as session:
        factories.add_images(session, project, per_class=3)
    assert repeat(made).is_the_same


def test_other_weights_are_told_with_what_differs(realigned):
    made = checkpoints_of(realigned)[Origin.REALIGNED]
    with transaction() as session:
        run = session.get_one(Run, realigned.id)
        run.parameters = {**run.parameters, "seed": 6}
        other = {**run.result[MACHINES][0], "threads": 7}
        run.result = {**run.result, MACHINES: [other]}
    repeated = repeat(made)
    assert not repeated.is_the_same
    assert repeated.why == f"This machine is another: threads {this_machine().threads} instead of 7."


def test_it_stores_nothing(realigned):
    def stored() -> tuple[int, int]:
        with reading() as session:
            return len(session.scalars(select(Checkpoint)).all()), len(session.scalars(select(Run)).all())

    before = stored()
    repeat(checkpoints_of(realigned)[Origin.CONTROL])
    assert stored() == before


def test_every_machine_that_trained_a_run_stands_with_it_once(realigned):
    assert machines_of(realigned) == [this_machine()]
    assert this_machine().unlike(machines_of(realigned)[0]) == []
    assert machines_of(Run(result={})) == []


def test_a_machine_says_in_what_it_differs():
    one = Machine(rightreasons="1", torch="2", device="cpu AVX2", threads=1, precision="auto", images_at_once=None)
    other = one.model_copy(update={"device": "NVIDIA H100", "images_at_once": 32})
    assert other.unlike(one) == ["device NVIDIA H100 instead of cpu AVX2", "images_at_once 32 instead of None"]


def test_a_checkpoint_that_was_brought_cannot_be_trained_again():
    project = small.add_project()
    with transaction() as session:
        brought = factories.add_checkpoint(session, project).id
    with pytest.raises(RefusedError, match="brought from elsewhere"):
        repeat(brought)
