"""A checkpoint that somebody brings: checked, converted to safetensors, given its attribution method."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import torch
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from torch import nn

from app.db import reading
from app.languages.messages import Message
from app.models import Checkpoint, Origin, Project, Run, Split, TargetClass
from app.runs.parameters import Input, RegistrationParameters
from app.storage import storage
from worker.method.attribution import Choice, choose
from worker.tasks.inputs import baseline_images, device, image_rows, labels_of, pictures
from worker.tasks.job import Job, Plan, RefusedError, Write
from worker.vision import architectures, checkpoints
from worker.vision.class_order import reorder_outputs
from worker.vision.preprocessing import Preprocessing

# Images on which an attribution method must prove complete.
PROOFS = 4


def plan(session: Session, run: Run) -> Plan:
    del session, run
    return Plan(1, 1)


def work(job: Job) -> Write:
    parameters = job.parameters(RegistrationParameters)
    with reading() as session:
        names = class_names(session, job.project_id)
    model, preprocessing = loaded(parameters, names)
    made = Made(
        name=parameters.name,
        origin=Origin.IMPORTED,
        architecture=parameters.architecture,
        input=parameters.input,
        weights=storage().put(checkpoints.to_safetensors(model)),
        choice=choose_attribution(job.material.datasets, model, preprocessing),
        parent_id=parameters.parent_id,
    )

    def write(session: Session, run: Run) -> dict[str, Any]:
        run.result = {**run.result, "checkpoint_id": str(add_checkpoint(session, run, made).id)}
        return {}

    return write


def loaded(parameters: RegistrationParameters, names: list[str]) -> tuple[nn.Module, Preprocessing]:
    """The model in evaluation mode, its outputs in the order of ``names``.

    Raises CheckpointError, ArchitectureError or RefusedError where file, architecture and classes don't fit.
    """
    preprocessing = as_preprocessing(parameters.input)
    state = checkpoints.read_weights(storage().get(parameters.weights), parameters.filename)
    model = architectures.build(parameters.architecture, len(names), preprocessing).eval()
    checkpoints.fit_weights(model, state)
    example = torch.zeros(1, preprocessing.channels, preprocessing.size, preprocessing.size)
    reorder_outputs(model, example, order_of(parameters.classes, names))
    return model, preprocessing


@dataclass(frozen=True)
class Made:
    """A checkpoint before it has a number."""

    name: str
    origin: Origin
    architecture: str
    input: Input
    weights: str
    choice: Choice
    parent_id: UUID | None = None


def as_preprocessing(given: Input) -> Preprocessing:
    return Preprocessing(size=given.size, channels=given.channels, mean=given.mean, std=given.std)


def class_names(session: Session, project_id: UUID) -> list[str]:
    by_project = select(TargetClass.name).where(TargetClass.project_id == project_id)
    return list(session.scalars(by_project.order_by(TargetClass.position)))


def order_of(given: tuple[str, ...], wanted: list[str]) -> list[int]:
    """Where the project's classes stand among the checkpoint's outputs."""
    if sorted(given) != sorted(wanted):
        raise RefusedError(
            Message(
                "The checkpoint's classes are %(given)s; the project's are %(wanted)s.",
                given=", ".join(given),
                wanted=", ".join(wanted),
            )
        )
    return [given.index(name) for name in wanted]


def choose_attribution(datasets: Sequence[UUID], model: nn.Module, preprocessing: Preprocessing) -> Choice:
    """Every architecture proves that its explanations add up, on images of the project."""
    with reading() as session:
        rows = image_rows(session, datasets, Split.TRAIN)[:PROOFS]
        if not rows:
            raise RefusedError(
                Message("Import a data set first: a checkpoint's explanations are proven on the project's images.")
            )
        baselines = baseline_images(session, datasets, preprocessing, seed=0)
    on = device()
    model = model.eval().to(on)
    return choose(model, pictures(rows, preprocessing).to(on), labels_of(rows).to(on), baselines.to(on))


def add_checkpoint(session: Session, run: Run, made: Made) -> Checkpoint:
    """Gives it the project's next number; the project is locked, for another run may number at the same time."""
    session.get(Project, run.project_id, with_for_update=True)
    taken = session.scalar(select(func.max(Checkpoint.number)).where(Checkpoint.project_id == run.project_id)) or 0
    checkpoint = Checkpoint(
        project_id=run.project_id,
        number=taken + 1,
        name=made.name,
        origin=made.origin,
        parent_id=made.parent_id,
        run_id=run.id,
        architecture=made.architecture,
        weights=made.weights,
        size=made.input.size,
        channels=made.input.channels,
        mean=list(made.input.mean),
        std=list(made.input.std),
        attribution=made.choice.method,
        completeness_error=made.choice.error,
        attribution_reason=made.choice.reason,
        created_by_id=run.created_by_id,
    )
    session.add(checkpoint)
    session.flush()
    return checkpoint
