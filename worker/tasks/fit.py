"""A first checkpoint for people who have none: ordinary training, without any correction."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from torch import nn

from app.config import settings
from app.db import reading
from app.languages.messages import Message
from app.models import Image, Origin, Project, Run, Split
from app.runs.leftovers import STATE
from app.runs.parameters import TrainingParameters
from app.storage import storage
from worker.method.balance import shown
from worker.method.realignment import RealignmentSettings, State
from worker.tasks.epochs import Measured, epochs_a_shard, group_names, keep_epochs, save_state, train_chunk
from worker.tasks.inputs import image_rows, labels_of, pictures
from worker.tasks.job import Job, Plan, RefusedError, Write
from worker.tasks.material import material_of
from worker.tasks.register import Made, add_checkpoint, as_preprocessing, choose_attribution, class_names
from worker.vision import architectures, checkpoints
from worker.vision.training import load_pretrained


def plan(session: Session, run: Run) -> Plan:
    parameters = TrainingParameters.model_validate(run.parameters)
    training = (Image.dataset_id.in_(material_of(run).datasets), Image.split == Split.TRAIN)
    images = session.scalar(select(func.count()).select_from(Image).where(*training)) or 0
    if images == 0:
        raise RefusedError(Message("This project has no training images; import a data set first."))
    return Plan(parameters.epochs, epochs_a_shard(parameters.epochs, images, parameters.input.size), sequential=True)


def work(job: Job) -> Write:
    parameters = job.parameters(TrainingParameters)
    model, state, figures = trained(job, parameters)
    if job.last < parameters.epochs:
        return keep_epochs(job, figures, {STATE: save_state(state, job)})
    keep = keep_epochs(job, figures)
    made = Made(
        name=parameters.name,
        origin=Origin.TRAINED,
        architecture=parameters.architecture,
        input=parameters.input,
        weights=storage().put(checkpoints.to_safetensors(model)),
        choice=choose_attribution(job.material.datasets, model, as_preprocessing(parameters.input)),
    )

    def write(session: Session, run: Run) -> dict[str, Any]:
        outcome = keep(session, run)
        checkpoint = add_checkpoint(session, run, made)
        run.result = {**run.result, "checkpoint_id": str(checkpoint.id)}
        return outcome

    return write


def trained(job: Job, parameters: TrainingParameters) -> tuple[nn.Module, State, list[dict[str, Any]]]:
    """The model after the job's epochs, with the figures of each."""
    preprocessing = as_preprocessing(parameters.input)
    with reading() as session:
        names = class_names(session, job.project_id)
        train = image_rows(session, job.material.datasets, Split.TRAIN)
        validation = image_rows(session, job.material.datasets, Split.VALIDATION)
        group_by = session.get_one(Project, job.project_id).group_by
    model = architectures.build(parameters.architecture, len(names), preprocessing, parameters.seed)
    if parameters.pretrained and job.first == 0:
        load_pretrained(model, parameters.architecture)
    state, figures = train_chunk(
        job,
        model,
        shown(pictures(train, preprocessing), labels_of(train), balanced=parameters.balanced),
        None,
        settings_of(parameters),
        Measured(
            pictures(validation, preprocessing),
            labels_of(validation),
            group_names(validation, group_by),
            parameters.balanced,
        ),
        arm="training",
        seed=parameters.seed,
        first_of_arm=job.first == 0,
    )
    return model, state, figures


def settings_of(parameters: TrainingParameters) -> RealignmentSettings:
    return RealignmentSettings(
        loss="control",
        epochs=parameters.epochs,
        learning_rate=parameters.learning_rate,
        batch_size=parameters.batch_size,
        precision=settings().precision,
        images_at_once=settings().images_at_once,
    )
