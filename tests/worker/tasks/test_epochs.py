"""A training that diverges ends with a sentence, whichever of its numbers is none."""

import math

import pytest
from sqlalchemy import func, select
from torch import nn

from app.db import reading
from app.models import Checkpoint, Epoch, Project, State
from app.runs.parameters import RealignmentParameters
from tests.worker.tasks import small
from worker.tasks.epochs import refuse_divergence
from worker.tasks.job import RefusedError


@pytest.fixture
def project(database: str) -> Project:
    del database
    return small.add_project()


def count(table: type[Checkpoint | Epoch]) -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_first_training_that_diverges_makes_no_checkpoint(project):
    run = small.ended(project, small.training(learning_rate=1e30))
    assert (run.state, count(Checkpoint), count(Epoch)) == (State.FAILED, 0, 0)
    assert run.error == "The training diverged in epoch 1; lower the learning rate or the strength."


def test_a_realignment_that_diverges_makes_no_checkpoint(project):
    critique = small.add_critique(project, small.add_checkpoint(project))
    checkpoints, epochs = count(Checkpoint), count(Epoch)
    asked = RealignmentParameters(critique_id=critique, epochs=2, batch_size=4, learning_rate=1e30)
    run = small.ended(project, asked)
    assert (run.state, count(Checkpoint), count(Epoch)) == (State.FAILED, checkpoints, epochs)
    assert run.error == "The training diverged in epoch 1; lower the learning rate or the strength."


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_one_number_that_is_none_is_enough(wrong):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    figures = {"arm": "control", "epoch": 3, "loss": 0.5, "worst_group": None}
    refuse_divergence(model, figures, epoch=3)
    with pytest.raises(RefusedError, match="in epoch 3"):
        refuse_divergence(model, {**figures, "evidence_on_spurious": wrong}, epoch=3)
    model[1].running_var[0] = wrong
    with pytest.raises(RefusedError, match="in epoch 3"):
        refuse_divergence(model, figures, epoch=3)
