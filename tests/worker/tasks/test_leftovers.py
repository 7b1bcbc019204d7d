"""Blobs that only one run needs are gone when it has ended, and no others."""

import io
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image as Picture
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Checkpoint, Project, Run, Shard, ShardState, Stage, State
from app.runs.actions import cancel_run
from app.runs.parameters import ImportParameters, RealignmentParameters, RegistrationParameters
from app.storage import UPLOAD, storage
from tests.drawn import KNEES, png
from tests.worker.tasks import small
from worker.tasks import engine
from worker.tasks.here import run_here

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def project(database: str) -> Project:
    del database
    return small.add_project()


@pytest.fixture
def chopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch a shard."""
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1.0)


def blobs(data_folder: Path) -> set[str]:
    return {path.name for path in (data_folder / "blobs").rglob("*") if path.is_file()}


def uploads(data_folder: Path) -> set[str]:
    return {name for name in blobs(data_folder) if name.startswith(UPLOAD)}


def archive() -> str:
    held = io.BytesIO()
    with ZipFile(held, "w") as packed:
        for split in ("train", "validation", "test"):
            for shade, name in enumerate(KNEES):
                packed.writestr(f"{split}/{name}/0.png", png(Picture.new("L", (16, 16), 40 + 90 * shade + len(split))))
    held.seek(0)
    return storage().put_upload(held)


def upload(weights: bytes) -> RegistrationParameters:
    return RegistrationParameters(
        name="mlp",
        architecture="mlp",
        input=small.training().input,
        classes=KNEES,
        weights=storage().put_upload(io.BytesIO(weights)),
        filename="weights.safetensors",
    )


def test_an_uploaded_archive_goes_with_its_own_run_alone(project, data_folder):
    first = small.start(project, ImportParameters(name="first", blob=archive()))
    second = small.start(project, ImportParameters(name="second", blob=archive()))
    run_here(first)
    assert small.run_of(first).state is State.SUCCEEDED, small.run_of(first).error
    assert uploads(data_folder) == {small.run_of(second).parameters["blob"]}
    run_here(second)
    assert small.run_of(second).result["already_there"] is True
    assert uploads(data_folder) == set()


def test_uploaded_weights_go_and_those_of_the_checkpoint_stay(project, data_folder):
    with reading() as session:
        trained = session.get_one(Checkpoint, small.add_checkpoint(project)).weights
    registered = small.ended(project, upload(storage().get(trained)))
    assert registered.state is State.SUCCEEDED, registered.error
    assert uploads(data_folder) == set()
    with reading() as session:
        made = session.scalars(select(Checkpoint).where(Checkpoint.run_id == registered.id)).one()
    assert registered.result["checkpoint_id"] == str(made.id)
    assert made.weights in blobs(data_folder)


def test_a_registration_that_names_a_checkpoints_own_weights_leaves_them(project, data_folder):
    with reading() as session:
        trained = session.get_one(Checkpoint, small.add_checkpoint(project)).weights
    asked = upload(b"").model_copy(update={"weights": trained, "classes": ("others",)})
    assert small.ended(project, asked).state is State.FAILED
    assert trained in blobs(data_folder)


def test_an_upload_goes_with_a_run_that_fails_or_is_cancelled(project, data_folder):
    assert small.ended(project, upload(b"no weights")).state is State.FAILED
    assert uploads(data_folder) == set()
    run_id = small.start(project, upload(b"weights"))
    assert len(uploads(data_folder)) == 1
    with transaction() as session:
        cancel_run(session, session.get_one(Run, run_id))
    assert uploads(data_folder) == set()


def test_an_upload_stays_where_the_end_of_its_run_is_not_committed(project, data_folder):
    run_id = small.start(project, upload(b"weights"))
    with pytest.raises(ZeroDivisionError), transaction() as session:
        cancel_run(session, session.get_one(Run, run_id))
        raise ZeroDivisionError
    assert len(uploads(data_folder)) == 1


@pytest.mark.usefixtures("chopped")
def test_trainings_leave_nothing_but_weights(project, data_folder):
    critique = small.add_critique(project, small.add_checkpoint(project))
    before = blobs(data_folder)
    realigned = small.ended(project, RealignmentParameters(critique_id=critique, epochs=2, batch_size=4))
    assert realigned.state is State.SUCCEEDED, realigned.error_details
    with reading() as session:
        shards = session.scalars(select(Shard).where(Shard.stage == Stage.REALIGN)).all()
        made = session.scalars(select(Checkpoint).where(Checkpoint.run_id == realigned.id)).all()
    assert len(shards) == 4
    assert blobs(data_folder) - before == {checkpoint.weights for checkpoint in made}


@pytest.mark.usefixtures("chopped")
@pytest.mark.parametrize("ending", ["cancelled", "failed"])
def test_a_training_that_stops_halfway_leaves_no_state(project, data_folder, ending):
    before = blobs(data_folder)
    run_id = small.start(project, small.training(epochs=3))
    engine.begin(run_id)
    engine.run_shard(run_id, Stage.FIT, 0)
    engine.run_shard(run_id, Stage.FIT, 1)
    assert len(blobs(data_folder) - before) == 1
    with transaction() as session:
        if ending == "cancelled":
            cancel_run(session, session.get_one(Run, run_id))
        else:
            last = session.scalars(select(Shard).where(Shard.state == ShardState.PENDING)).one()
            last.attempts = engine.MAX_ATTEMPTS
    run_here(run_id)
    assert small.run_of(run_id).state.value == ending
    assert blobs(data_folder) == before
