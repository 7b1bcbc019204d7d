"""An approved checkpoint written as an ONNX file: only what answers as the checkpoint does is given out."""

import json
from collections.abc import Callable
from uuid import UUID

import onnx
import pytest
from onnx import numpy_helper
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Checkpoint, Dataset, Image, Origin, Project, Run, Split, Stage, State
from app.models.onnx_record import KEY, OnnxRecord
from app.runs.parameters import ExportParameters
from app.storage import storage
from tests.signed import add_decision
from tests.worker.tasks import small
from worker.method.answers import logits_of
from worker.tasks import engine, export
from worker.tasks.here import run_here
from worker.tasks.inputs import image_rows, load_checkpoint, pictures
from worker.tasks.job import Job, Write
from worker.vision import onnx_file


@pytest.fixture
def project(sqlite: None) -> Project:
    return small.add_project()


@pytest.fixture
def checkpoint(project: Project) -> UUID:
    """One that was trained here, and is taken for realigned."""
    made = small.add_checkpoint(project)
    with transaction() as session:
        session.get_one(Checkpoint, made).origin = Origin.REALIGNED
    return made


def decide(checkpoint: UUID, *, approved: bool = True) -> UUID:
    with transaction() as session:
        return add_decision(session, checkpoint, approved=approved).id


def exported(project: Project, checkpoint: UUID) -> Run:
    return small.ended(project, ExportParameters(checkpoint_id=checkpoint))


def record(run: Run) -> OnnxRecord:
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    return OnnxRecord.model_validate(run.result[KEY])


def metadata(file: bytes) -> dict[str, str]:
    return {each.key: each.value for each in onnx.load_from_string(file).metadata_props}


def test_the_file_answers_as_the_checkpoint_and_says_how_nearly(project: Project, checkpoint: UUID) -> None:
    decision = decide(checkpoint)
    made = record(exported(project, checkpoint))
    file = storage().get(made.blob)
    with reading() as session:
        datasets = [each.id for each in session.scalars(select(Dataset))]
        rows = image_rows(session, datasets, Split.VALIDATION)
    assert (made.decision_id, made.bytes, made.pictures, made.split) == (decision, len(file), len(rows), "validation")
    loaded = load_checkpoint(checkpoint)
    own = logits_of(loaded.model, pictures(rows, loaded.preprocessing))
    given = onnx_file.answers(file, pictures(rows, onnx_file.as_pixels(loaded.preprocessing)), threads=1)
    assert (given - own).abs().max().item() == pytest.approx(made.difference)
    assert 0 <= made.difference <= made.allowed == pytest.approx(1e-4 * max(1, own.abs().max().item()))


def test_classes_and_signature_are_inside_and_no_mean_that_would_be_taken_off_twice(
    project: Project, checkpoint: UUID
) -> None:
    decision = decide(checkpoint)
    told = metadata(storage().get(record(exported(project, checkpoint)).blob))
    assert json.loads(told["rightreasons.classes"]) == ["healthy", "osteoarthritis"]
    assert told["rightreasons.decision_id"] == str(decision)
    assert told["rightreasons.signed_by"] == "Dr. Ada Reader"
    assert told["rightreasons.reason"] == "Gut so – weiß ich."
    assert json.loads(told["rightreasons.preprocessing"]) == {"size": 48, "channels": 1, "range": [0, 1]}
    assert "(batch, 1, 48, 48), grey" in told["rightreasons.input"]
    assert "Do not normalise" in told["rightreasons.input"]


@pytest.mark.parametrize("rejected", [False, True])
def test_what_is_not_approved_is_not_written(project: Project, checkpoint: UUID, rejected: bool) -> None:
    if rejected:
        decide(checkpoint)
        decide(checkpoint, approved=False)
    run = exported(project, checkpoint)
    assert run.state is State.FAILED
    assert run.error == "This checkpoint is not approved, so it is not given out. Decide on it first."
    assert KEY not in run.result


def while_it_works(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    work = export.work

    def do(job: Job) -> Write:
        write = work(job)
        happens()
        return write

    monkeypatch.setattr(export, "work", do)


def test_a_rejection_while_it_is_written_keeps_it_in(
    project: Project, checkpoint: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(checkpoint)
    while_it_works(monkeypatch, lambda: decide(checkpoint, approved=False))
    run = exported(project, checkpoint)
    assert (run.state, "is not approved" in run.error) == (State.FAILED, True)
    assert KEY not in run.result


def test_another_approval_while_it_is_written_asks_for_another_file(
    project: Project, checkpoint: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(checkpoint)
    while_it_works(monkeypatch, lambda: decide(checkpoint))
    run = exported(project, checkpoint)
    assert (run.state, "Another decision was signed" in run.error) == (State.FAILED, True)
    assert KEY not in run.result


def test_a_file_that_answers_otherwise_is_not_given_out(
    project: Project, checkpoint: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(checkpoint)
    to_onnx = onnx_file.to_onnx

    def tampered(*given: object) -> bytes:
        made = onnx.load_from_string(to_onnx(*given))  # type: ignore[arg-type]
        bias = next(each for each in made.graph.initializer if list(each.dims) == [2])
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + 0.01, bias.name))
        return made.SerializeToString()

    monkeypatch.setattr(onnx_file, "to_onnx", tampered)
    run = exported(project, checkpoint)
    assert run.state is State.FAILED
    assert "answers otherwise than the checkpoint: by up to 0.01 on " in run.error
    assert KEY not in run.result


def test_the_same_decision_gives_the_file_that_is_there_and_a_new_one_a_new_file(
    project: Project, checkpoint: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(checkpoint)
    first = record(exported(project, checkpoint))
    newest = decide(checkpoint)
    second = record(exported(project, checkpoint))
    assert second.decision_id == newest
    assert second.blob != first.blob
    monkeypatch.setattr(onnx_file, "to_onnx", None)  # nothing is written once more
    assert record(exported(project, checkpoint)) == second
    assert storage().get(first.blob) != storage().get(second.blob)


def test_delivered_twice_it_is_written_once(project: Project, checkpoint: UUID) -> None:
    decide(checkpoint)
    run_id = small.start(project, ExportParameters(checkpoint_id=checkpoint))
    run_here(run_id)
    made = small.run_of(run_id)
    engine.run_shard(run_id, Stage.EXPORT, 0)
    assert small.run_of(run_id).result == made.result


def test_training_pictures_stand_in_where_there_are_no_validation_pictures(project: Project, checkpoint: UUID) -> None:
    decide(checkpoint)
    with transaction() as session:
        for image in session.scalars(select(Image).where(Image.split == Split.VALIDATION)):
            image.split = Split.TEST
    assert record(exported(project, checkpoint)).split == "train"
