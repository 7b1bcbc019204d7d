"""An approved checkpoint, written as an ONNX file whose answers are compared with its own before it is given out."""

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, selectinload

from app.config import settings
from app.db import reading
from app.decisions.actions import overridden, signature
from app.decisions.approval import NOT_APPROVED, NotApprovedError, approval_of
from app.exports.onnx import export_of
from app.languages.messages import Message
from app.models import Checkpoint, Decision, Project, Run, Split
from app.models.onnx_record import KEY, OnnxRecord
from app.runs.parameters import ExportParameters
from app.storage import storage
from app.trust.lock import record_of
from worker.method.answers import logits_of
from worker.tasks.inputs import ImageRow, image_rows, load_checkpoint, pictures, preprocessing_of
from worker.tasks.job import Job, Plan, RefusedError, Write
from worker.vision import onnx_file
from worker.vision.preprocessing import Preprocessing

PICTURES = 64
# Of the largest logit, or of 1 where all are smaller. Both compute in float32, whose step is 1.2e-7, and add up in
# another order: thirteen architectures, from small_cnn to maxvit_t, differed by up to 3e-6. Where logits are below 10,
# no probability is then another by more than 0.0005, which no page would show.
TOLERANCE = 1e-4


def plan(session: Session, run: Run) -> Plan:
    approved(session, session.get_one(Checkpoint, ExportParameters.model_validate(run.parameters).checkpoint_id))
    return Plan(1, 1)


def work(job: Job) -> Write:
    checkpoint_id = job.parameters(ExportParameters).checkpoint_id
    with reading() as session:
        checkpoint = session.get_one(Checkpoint, checkpoint_id)
        decision = approved(session, checkpoint)
        record = export_of(session, checkpoint, decision).file
        told = metadata(session, checkpoint, decision)
        split, rows = compared_on(session, job.material.datasets)
    if record is None:
        file, difference, allowed = written(job, checkpoint_id, told, rows)
        record = OnnxRecord(
            decision_id=decision.id,
            blob=storage().put(file),
            bytes=len(file),
            difference=difference,
            allowed=allowed,
            pictures=len(rows),
            split=split.value,
        )

    def write(session: Session, run: Run) -> dict[str, Any]:
        if approved(session, checkpoint).id != decision.id:
            raise RefusedError(
                Message("Another decision was signed while the file was written, so it is not given out. Ask again.")
            )
        run.result = {**run.result, KEY: record.model_dump(mode="json")}
        return {}

    return write


def approved(session: Session, checkpoint: Checkpoint) -> Decision:
    try:
        return approval_of(session, checkpoint)
    except NotApprovedError as error:
        raise RefusedError(Message(NOT_APPROVED)) from error


def metadata(session: Session, checkpoint: Checkpoint, decision: Decision) -> dict[str, str]:
    """The signature, and what the file takes and gives.

    Mean and standard deviation are left out: they are in the graph, and whoever found them would normalise once more.
    """
    project = session.get_one(Project, checkpoint.project_id, options=[selectinload(Project.classes)])
    run = session.get(Run, checkpoint.run_id)
    pre = preprocessing_of(checkpoint)
    return (
        signature(checkpoint, decision, project)
        | overridden(record_of(run) if run else None)
        | {
            "rightreasons.preprocessing": json.dumps({"size": pre.size, "channels": pre.channels, "range": [0, 1]}),
            "rightreasons.input": taken(pre),
            "rightreasons.output": "logits: float32, (batch, classes), in the order of rightreasons.classes; "
            "their softmax is the probabilities.",
        }
    )


def taken(pre: Preprocessing) -> str:
    colour = "grey (0.299 R + 0.587 G + 0.114 B)" if pre.channels == 1 else "RGB"
    return (
        f"image: float32, (batch, {pre.channels}, {pre.size}, {pre.size}), {colour}: the whole picture, resized "
        "(bilinear, antialiased, as Pillow does) even if its proportions change, as values from 0 to 1 (8 bits / 255). "
        "Do not normalise: the file subtracts the mean and divides by the standard deviation itself."
    )


def compared_on(session: Session, datasets: Sequence[UUID]) -> tuple[Split, list[ImageRow]]:
    """Validation pictures, spread over them all as they were imported; of a project without any, training pictures."""
    for split in (Split.VALIDATION, Split.TRAIN):
        if rows := image_rows(session, datasets, split):
            return split, rows[:: -(-len(rows) // PICTURES)]
    raise RefusedError(
        Message("The project has no pictures that the file’s answers could be compared on, so it is not given out.")
    )


def written(job: Job, checkpoint_id: UUID, told: dict[str, str], rows: list[ImageRow]) -> tuple[bytes, float, float]:
    """The file, the largest difference of a logit, and what was allowed. Raises RefusedError where it is above."""
    loaded = load_checkpoint(checkpoint_id)
    model = deepcopy(loaded.model).cpu()  # the process keeps the other for the next task; on a GPU it rounds otherwise
    file = onnx_file.to_onnx(model, loaded.preprocessing, told)
    onnx_file.check(file)
    job.check()
    own = logits_of(model, pictures(rows, loaded.preprocessing))
    pixels = pictures(rows, onnx_file.as_pixels(loaded.preprocessing))
    difference = float((onnx_file.answers(file, pixels, settings().torch_threads) - own).abs().max())
    allowed = TOLERANCE * max(1.0, float(own.abs().max()))
    if not difference <= allowed:  # so that what is no number is refused as well
        raise RefusedError(differs(f"{difference:.2g}", f"{allowed:.2g}", len(rows)))
    return file, difference, allowed


def differs(difference: str, allowed: str, compared: int) -> Message:
    return Message(
        "The ONNX file answers otherwise than the checkpoint: by up to %(difference)s on %(pictures)s pictures, "
        "where %(allowed)s is allowed. It is not given out.",
        difference=difference,
        pictures=compared,
        allowed=allowed,
    )
