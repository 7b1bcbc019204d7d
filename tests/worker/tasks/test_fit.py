"""A first checkpoint."""

import pytest
import torch
from sqlalchemy import func, select

from app.db import reading, transaction
from app.models import Image, Split, State
from tests.worker.tasks import small
from worker.tasks import epochs, fit
from worker.tasks.epochs import train_chunk

pytestmark = pytest.mark.usefixtures("sqlite")


@pytest.mark.parametrize("is_balanced", [True, False])
def test_a_rare_class_is_shown_as_often_as_the_other_where_that_is_asked_for(monkeypatch, is_balanced):
    project = small.add_project()
    with transaction() as session:
        images = session.scalars(select(Image).where(Image.split == Split.TRAIN).order_by(Image.class_id)).all()
        for each in images[2:]:
            each.class_id = images[-1].class_id
    seen, cut = [], []

    def noted(job, model, training, *more: object, **named: object):
        seen.append(sorted(training.take(torch.arange(len(training)))[1].bincount().tolist()))
        return train_chunk(job, model, training, *more, **named)

    monkeypatch.setattr(fit, "train_chunk", noted)
    monkeypatch.setattr(epochs, "cut_evenly", lambda *given: cut.append(len(given[2])))
    run = small.ended(project, small.training(epochs=2).model_copy(update={"balanced": is_balanced}))
    assert run.state is State.SUCCEEDED, run.error_details
    assert set(map(tuple, seen)) == {(len(images) - 2,) * 2 if is_balanced else (2, len(images) - 2)}
    assert len(cut) == (2 if is_balanced else 0)  # after each epoch
    with reading() as session:
        validation = session.scalar(select(func.count()).where(Image.split == Split.VALIDATION))
    assert set(cut) <= {validation}
