"""A realignment under guard: which epoch becomes the checkpoint, however its epochs are cut into shards."""

import pytest
import torch
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Checkpoint, Epoch, Image, Origin, Project, Run, Shard, Split, State
from app.models.guard_record import KEY, GuardRecord
from app.runs.parameters import AcceptanceBar, RealignmentParameters
from app.storage import storage
from tests.worker.tasks import small
from worker.method import guard
from worker.tasks import engine, epochs, realign
from worker.tasks.epochs import train_chunk
from worker.tasks.here import run_here
from worker.tasks.realign import CONTROL, name_after
from worker.vision import checkpoints

pytestmark = pytest.mark.usefixtures("sqlite")
LENIENT = AcceptanceBar(
    worst_group_rises=-1, accuracy_falls_at_most=1, group_falls_at_most=1, agreement_rises=-1, answers_flip_at_most=1
)


@pytest.fixture
def asked(sqlite: str) -> tuple[Project, RealignmentParameters]:
    del sqlite
    project = small.add_project()
    critique = small.add_critique(project, small.add_checkpoint(project))
    return project, RealignmentParameters(critique_id=critique, epochs=4, batch_size=4, bar=LENIENT)


def made(run: Run) -> dict[Origin, str]:
    assert run.state is State.SUCCEEDED, run.error_details
    with reading() as session:
        found = session.scalars(select(Checkpoint).where(Checkpoint.run_id == run.id))
        return {each.origin: each.weights for each in found}


def points(run: Run) -> list[tuple[str, int]]:
    with reading() as session:
        epochs = session.scalars(select(Epoch).where(Epoch.run_id == run.id).order_by(Epoch.number))
        return [(each.figures["arm"], each.figures["epoch"]) for each in epochs]


def seconds(run: Run) -> list[float]:
    with reading() as session:
        return [each.figures["seconds"] for each in session.scalars(select(Epoch).where(Epoch.run_id == run.id))]


def record(run: Run) -> GuardRecord:
    return GuardRecord.model_validate(run.result[KEY])


def settles_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    monkeypatch.setattr(guard, "is_settled", lambda _, watch, __: len(watch.seen) == epochs)


def second_is_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "choose", lambda _, __, seen: guard.Choice(min(2, len(seen)), ()))


def test_epochs_in_parts_and_at_once_deliver_the_same(asked, monkeypatch):
    second_is_best(monkeypatch)
    settles_after(monkeypatch, 3)
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1e12)
    at_once = small.ended(*asked)
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1.0)
    in_parts = small.ended(*asked)
    assert made(in_parts) == made(at_once)
    assert record(in_parts) == record(at_once)
    assert points(in_parts) == points(at_once)
    assert all(0 < each < 60 for run in (in_parts, at_once) for each in seconds(run))
    assert (record(in_parts).epoch, record(in_parts).trained, record(in_parts).asked) == (2, 3, 4)
    assert record(in_parts).owed.n == in_parts.result["images"]
    assert points(in_parts) == [
        ("consistency", 1),
        ("consistency", 2),
        ("consistency", 3),
        ("control", 1),
        ("control", 2),
    ]


def test_a_shard_whose_worker_was_killed_is_done_again_to_the_bit(asked, monkeypatch):
    second_is_best(monkeypatch)
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1.0)
    undisturbed = small.ended(*asked)
    run_id = small.start(*asked)
    engine.begin(run_id)
    finish = engine.finish
    for number in range(6):
        with reading() as session:
            stage = session.scalar(select(Shard.stage).where(Shard.run_id == run_id, Shard.number == number))
        assert stage is not None
        # Killed with the work done and nothing written; then the shard is delivered again.
        monkeypatch.setattr(engine, "finish", lambda *_: engine.give_up(*_[:4]))
        engine.run_shard(run_id, stage, number)
        monkeypatch.setattr(engine, "finish", finish)
        engine.run_shard(run_id, stage, number)
    run_here(run_id)
    run = small.run_of(run_id)
    assert made(run) == made(undisturbed)
    assert record(run) == record(undisturbed)


def test_the_delivered_weights_are_those_of_the_chosen_epoch(asked, monkeypatch):
    project, parameters = asked
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1e12)
    kept = []
    follow = guard.follow

    def keep(watch, bar, model, measured):
        kept.append(checkpoints.to_safetensors(model))
        return follow(watch, bar, model, measured)

    monkeypatch.setattr(guard, "follow", keep)
    run = small.ended(project, parameters)
    chosen = record(run).epoch
    assert storage().get(made(run)[Origin.REALIGNED]) == kept[chosen - 1]
    assert record(run).keeps


@pytest.mark.parametrize("is_balanced", [True, False])
def test_a_rare_class_is_shown_as_often_as_the_other_where_that_is_asked_for(asked, monkeypatch, is_balanced):
    project, parameters = asked
    with transaction() as session:
        images = session.scalars(select(Image).where(Image.split == Split.TRAIN).order_by(Image.class_id)).all()
        for each in images[4:]:  # so that some of either class are left when a fifth is held out
            each.class_id = images[-1].class_id
    seen, cut = [], []

    def noted(job, model, training, alignment, *more: object, **named: object):
        labels = training.take(torch.arange(len(training)))[1]
        seen.append((labels.bincount().tolist(), alignment.labels.bincount().tolist()))
        return train_chunk(job, model, training, alignment, *more, **named)

    monkeypatch.setattr(realign, "train_chunk", noted)
    monkeypatch.setattr(epochs, "cut_evenly", lambda *given: cut.append(given))
    run = small.ended(project, parameters.model_copy(update={"balanced": is_balanced, "epochs": 1}))
    assert run.state is State.SUCCEEDED, run.error_details
    assert len(seen) == 2  # the correction and its control
    assert len(cut) == (2 if is_balanced else 0)
    for training, aligned in seen:
        assert (len(set(training)) == 1) is is_balanced
        assert (len(set(aligned)) == 1) is is_balanced


def test_what_no_epoch_keeps_is_delivered_and_marked(asked):
    project, parameters = asked
    impossible = AcceptanceBar(accuracy_falls_at_most=-1.5, agreement_rises=None)
    run = small.ended(project, parameters.model_copy(update={"bar": impossible, "control": False}))
    assert set(made(run)) == {Origin.REALIGNED}
    assert not record(run).keeps
    assert "accuracy" in record(run).missed
    assert len(points(run)) == record(run).trained == 4
    assert record(run).held_out > 0
    assert record(run).agreement.n > 0


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("knees", "knees, realigned"),
        ("knees, realigned", "knees, realigned 2 times"),
        ("knees, realigned 9 times", "knees, realigned 10 times"),
        ("knees, realigned by Bo", "knees, realigned by Bo, realigned"),
    ],
)
def test_a_name_says_how_often_its_checkpoint_was_realigned(name, after):
    assert name_after(Checkpoint(name=name), "consistency") == after


def test_the_name_of_a_control_says_that_nothing_was_corrected():
    assert name_after(Checkpoint(name="knees, realigned"), CONTROL) == "knees, realigned, without correction"
