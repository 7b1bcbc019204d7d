"""Realignment: the model is fine-tuned to answer without the clusters that stand as spurious, and once without that.

The epochs of the correction come first, then those of the control, which sees the same batches without correction.
"""

from copy import deepcopy
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor, nn

from app.db import reading
from app.languages.messages import Message
from app.models import Checkpoint, Explanation, Origin, Project, Run, Split
from app.runs.parameters import Input, RealignmentParameters
from app.storage import storage
from worker.method.attribution import Choice, attribute
from worker.method.evaluation import mu_align
from worker.method.realignment import AlignmentImages, Loss, RealignmentSettings
from worker.tasks.corrections import Correction, correction_of
from worker.tasks.epochs import Measured, epochs_a_shard, group_names, keep_epochs, save_state, train_chunk
from worker.tasks.inputs import Loaded, baseline_images, device, image_rows, labels_of, load_checkpoint, pictures
from worker.tasks.job import Job, Plan, RefusedError, Write
from worker.tasks.material import material_of
from worker.tasks.register import Made, add_checkpoint
from worker.vision import checkpoints

CONTROL: Loss = "control"
# Alignment images that are explained anew after each epoch: enough for a curve, quick enough to wait for.
WATCHED = 16


def plan(session: Session, run: Run) -> Plan:
    parameters = RealignmentParameters.model_validate(run.parameters)
    checkpoint = realigned_checkpoint(session, parameters.critique_id)
    material = material_of(run)
    if not any(material.spurious.values()):
        raise RefusedError(
            Message(
                "No cluster stands as spurious, so there is nothing to correct. "
                "Review the cases or write the specification."
            )
        )
    images = len(image_rows(session, material.datasets, Split.TRAIN))
    size = epochs_a_shard(parameters.epochs, images, checkpoint.size)
    return Plan(parameters.epochs * (2 if parameters.control else 1), size, sequential=True)


def realigned_checkpoint(session: Session, critique_id: UUID) -> Checkpoint:
    """The checkpoint whose explanations were criticised."""
    analysis = session.get_one(Run, critique_id).parameters["analysis_id"]
    explained = select(Explanation.checkpoint_id).where(Explanation.run_id == UUID(analysis)).limit(1)
    return session.get_one(Checkpoint, session.scalars(explained).one())


def settings_of(parameters: RealignmentParameters, loss: Loss) -> RealignmentSettings:
    defaults = RealignmentSettings()
    return RealignmentSettings(
        loss=loss,
        epochs=parameters.epochs,
        learning_rate=parameters.learning_rate or defaults.learning_rate,
        batch_size=parameters.batch_size,
        consistency=defaults.consistency if parameters.consistency is None else parameters.consistency,
        strength=parameters.strength if loss != CONTROL else None,
    )


def work(job: Job) -> Write:
    parameters = job.parameters(RealignmentParameters)
    loss: Loss = parameters.loss if job.first < parameters.epochs else CONTROL
    with reading() as session:
        parent = realigned_checkpoint(session, parameters.critique_id)
        correction = correction_of(session, job.material.spurious)
        train = image_rows(session, job.material.datasets, Split.TRAIN)
        validation = image_rows(session, job.material.datasets, Split.VALIDATION)
        group_by = session.get_one(Project, job.project_id).group_by
        loaded = load_checkpoint(parent.id)
        baselines = baseline_images(session, job.material.datasets, loaded.preprocessing, seed=0)
    aligned = correction.images(loaded.preprocessing)
    # The loaded checkpoint is shared by this process's shards; training changes a copy.
    model = deepcopy(loaded.model)
    state, figures = train_chunk(
        job,
        model,
        (pictures(train, loaded.preprocessing), labels_of(train)),
        aligned,
        settings_of(parameters, loss),
        Measured(
            pictures(validation, loaded.preprocessing),
            labels_of(validation),
            group_names(validation, group_by),
            also=lambda trained: {"evidence_on_spurious": evidence(trained, loaded, aligned, baselines)},
        ),
        arm=loss,
        seed=parameters.seed,
        first_of_arm=job.first in {0, parameters.epochs},
    )
    if job.last not in {parameters.epochs, 2 * parameters.epochs}:
        return keep_epochs(job, figures, save_state(state, job))
    keep = keep_epochs(job, figures)
    made = aligned_checkpoint(parent, loss, storage().put(checkpoints.to_safetensors(model)))

    def write(session: Session, run: Run) -> dict[str, Any]:
        outcome = keep(session, run)
        checkpoint = add_checkpoint(session, run, made)
        key = "control_id" if loss == CONTROL else "checkpoint_id"
        run.result = {**run.result, key: str(checkpoint.id), **counts(correction)}
        return outcome

    return write


def evidence(model: nn.Module, loaded: Loaded, aligned: AlignmentImages, baselines: Tensor) -> float:
    """Share of the attribution on spurious clusters, over the first few alignment images that have some."""
    chosen = aligned.masks.flatten(1).any(dim=1).nonzero()[:WATCHED, 0]
    on = device()
    images, labels = aligned.images[chosen].to(on), aligned.labels[chosen].to(on)
    phi = attribute(model, images, labels, baselines.to(on), loaded.method).cpu()
    return 1 - mu_align(phi, aligned.masks[chosen, 0] > 0).value


def aligned_checkpoint(parent: Checkpoint, loss: Loss, weights: str) -> Made:
    """It is explained by its parent's method: the architecture, which completeness depends on, is the same."""
    channels = 1 if parent.channels == 1 else 3
    name = f"{parent.name}, without correction" if loss == CONTROL else f"{parent.name}, realigned"
    return Made(
        name=name,
        origin=Origin.CONTROL if loss == CONTROL else Origin.REALIGNED,
        architecture=parent.architecture,
        input=Input(size=parent.size, channels=channels, mean=tuple(parent.mean), std=tuple(parent.std)),
        weights=weights,
        choice=Choice(parent.attribution, parent.completeness_error, parent.attribution_reason),  # type: ignore[arg-type]
        parent_id=parent.id,
    )


def counts(correction: Correction) -> dict[str, int]:
    return {
        "images": len(correction.rows),
        "spurious_clusters": sum(len(some) for some in correction.spurious),
        "images_with_spurious": sum(bool(some) for some in correction.spurious),
    }
