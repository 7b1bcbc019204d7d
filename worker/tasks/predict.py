"""Predictions of the checkpoints under evaluation, image by image."""

from itertools import groupby
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.db import reading
from app.models import Prediction, Run, TargetClass
from worker.method.answers import logits_of
from worker.tasks.evaluated import items
from worker.tasks.inputs import ImageRow, load_checkpoint, pictures
from worker.tasks.job import Job, Plan, Write

SHARD = 500
PORTION = 100


def plan(session: Session, run: Run) -> Plan:
    return Plan(len(items(session, run)), SHARD)


def work(job: Job) -> Write:
    with reading() as session:
        mine = items(session, session.get_one(Run, job.run_id))[job.first : job.last]
        by_project = select(TargetClass.id).where(TargetClass.project_id == job.project_id)
        class_ids = list(session.scalars(by_project.order_by(TargetClass.position)))
    made: list[dict[str, Any]] = []
    for checkpoint_id, group in groupby(mine, key=lambda item: item[0]):
        rows = [row for _, row in group]
        for first in range(0, len(rows), PORTION):
            job.check()
            made += predictions(job.run_id, checkpoint_id, rows[first : first + PORTION], class_ids)

    def write(session: Session, run: Run) -> dict[str, Any]:
        del run
        session.execute(insert(Prediction), made)
        return {}

    return write


def predictions(run_id: UUID, checkpoint_id: UUID, rows: list[ImageRow], class_ids: list[UUID]) -> list[dict[str, Any]]:
    loaded = load_checkpoint(checkpoint_id)
    probabilities = logits_of(loaded.model, pictures(rows, loaded.preprocessing)).softmax(dim=1)
    return [
        {
            "id": uuid4(),
            "run_id": run_id,
            "checkpoint_id": checkpoint_id,
            "image_id": row.id,
            "predicted_id": class_ids[int(given.argmax())],
            "correct": int(given.argmax()) == row.label,
            "probabilities": [round(p, 6) for p in given.tolist()],
        }
        for row, given in zip(rows, probabilities, strict=True)
    ]
