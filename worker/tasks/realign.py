"""Realignment: the model is fine-tuned to answer without the clusters that stand as spurious, and once without that.

The epochs of the correction come first, and the guard chooses one of them. Then those of the control, which sees the
same batches without correction, up to that epoch. The shards of the epochs that nobody needs any more do nothing.
"""

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor, nn

from app.config import settings
from app.db import reading
from app.languages.messages import Message
from app.models import Checkpoint, Explanation, Origin, Project, Run, Split
from app.models.guard_record import KEY
from app.realignment.doubts import doubts, found_of
from app.runs.leftovers import STATE
from app.runs.parameters import Input, RealignmentParameters
from app.storage import storage
from app.trust.lock import record_of
from worker.method import guard
from worker.method.attribution import Choice, attribute
from worker.method.balance import balanced_alignment, shown
from worker.method.evaluation import mu_align
from worker.method.guard import Watch
from worker.method.realignment import AlignmentImages, Batches, Loss, RealignmentSettings, State
from worker.tasks.corrections import Correction, correction_of
from worker.tasks.epochs import (
    Measured,
    epochs_a_shard,
    group_names,
    keep_epochs,
    load_watch,
    save_state,
    train_chunk,
)
from worker.tasks.inputs import Loaded, baseline_images, device, image_rows, labels_of, load_checkpoint, pictures
from worker.tasks.job import Job, Plan, RefusedError, Write
from worker.tasks.material import material_of
from worker.tasks.register import Made, add_checkpoint
from worker.tasks.watched import Watched, bar_of
from worker.vision import checkpoints

CONTROL: Loss = "control"
CHOSEN = "chosen"  # where a shard names the epoch that the guard chose, once the correction has ended
REALIGNED = re.compile(r"(?P<name>.*), realigned( (?P<times>\d+) times)?", re.DOTALL)
# Alignment images that are explained anew after each epoch: enough for a curve, quick enough to wait for.
WATCHED = 16


def plan(session: Session, run: Run) -> Plan:
    parameters = RealignmentParameters.model_validate(run.parameters)
    checkpoint = realigned_checkpoint(session, parameters.critique_id)
    material = material_of(run)
    if not any(material.spurious.values()):
        raise RefusedError(
            Message(
                "No region stands as spurious, so there is nothing to correct. "
                "Review the cases or write the specification."
            )
        )
    refuse_harm(session, run, parameters.critique_id)
    images = len(image_rows(session, material.datasets, Split.TRAIN))
    size = epochs_a_shard(parameters.epochs, images, checkpoint.size)
    return Plan(parameters.epochs * (2 if parameters.control else 1), size, sequential=True)


def refuse_harm(session: Session, run: Run, critique_id: UUID) -> None:
    """Verdicts and reviews may have changed since it was asked for, and then nobody has said why to train on them."""
    trust = record_of(run)
    against = doubts(found_of(session, session.get_one(Run, critique_id)))
    if against and not (trust and trust.override):
        raise RefusedError(against[0].sentence)


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
        precision=settings().precision,
        images_at_once=settings().images_at_once,
    )


@dataclass(frozen=True)
class Prepared:
    """What one chunk of training needs; ``kept`` are the alignment images that are trained on."""

    parent: Checkpoint
    model: nn.Module
    training: Batches
    kept: AlignmentImages
    measured: Measured
    watched: Watched
    counts: dict[str, int]


def work(job: Job) -> Write:
    parameters = job.parameters(RealignmentParameters)
    if is_over(job, parameters):
        return lambda _, __: {CHOSEN: job.previous[CHOSEN]}
    ready, state, figures = trained(job, parameters)
    if ready.watched.is_over or job.last in {parameters.epochs, 2 * parameters.epochs}:
        return delivered(job, parameters, ready, figures)
    chosen = {CHOSEN: job.previous[CHOSEN]} if job.first >= parameters.epochs else {}
    return keep_epochs(job, figures, {STATE: save_state(state, job, ready.watched.watch), **chosen})


def trained(job: Job, parameters: RealignmentParameters) -> tuple[Prepared, State, list[dict[str, Any]]]:
    """The job's epochs of its arm, with the figures of each."""
    loss: Loss = parameters.loss if job.first < parameters.epochs else CONTROL
    ready = prepared(job, parameters)
    state, figures = train_chunk(
        job,
        ready.model,
        ready.training,
        ready.kept,
        settings_of(parameters, loss),
        ready.measured,
        arm=loss,
        seed=parameters.seed,
        first_of_arm=is_first(job, parameters),
    )
    return ready, state, figures


def is_over(job: Job, parameters: RealignmentParameters) -> bool:
    """Whether the arm of these epochs has ended before them."""
    in_arm = job.first - parameters.epochs if job.first >= parameters.epochs else 0
    return CHOSEN in job.previous and (job.first < parameters.epochs or in_arm >= job.previous[CHOSEN])


def is_first(job: Job, parameters: RealignmentParameters) -> bool:
    return job.first in {0, parameters.epochs}


def prepared(job: Job, parameters: RealignmentParameters) -> Prepared:
    with reading() as session:
        parent = realigned_checkpoint(session, parameters.critique_id)
        correction = correction_of(session, job.material)
        train = image_rows(session, job.material.datasets, Split.TRAIN)
        validation = image_rows(session, job.material.datasets, Split.VALIDATION)
        group_by = session.get_one(Project, job.project_id).group_by
        loaded = load_checkpoint(parent.id)
        baselines = baseline_images(session, job.material.datasets, loaded.preprocessing, seed=0)
    aligned = correction.images(loaded.preprocessing)
    kept, held = guard.hold_out(aligned, parameters.seed)
    names = group_names(validation, group_by)
    bar = bar_of(parameters.bar, groups=len(set(names)) > len({row.class_name for row in validation}))
    watched = Watched(bar, parameters.epochs, held, names, lambda model: evidence(model, loaded, aligned, baselines))
    measured = Measured(
        pictures(validation, loaded.preprocessing), labels_of(validation), names, parameters.balanced, watched
    )
    # The loaded checkpoint is shared by this process's shards; training changes a copy.
    model = deepcopy(loaded.model)
    if job.first >= parameters.epochs:
        watched.epochs_left = job.previous[CHOSEN] - (job.first - parameters.epochs)
    elif is_first(job, parameters):
        explained = group_names(correction.rows, group_by)
        watched.watch = Watch(watched.first_measures(model, measured.right(model), aligned, explained))
    else:
        watched.watch = load_watch(job.previous[STATE])
    training = shown(pictures(train, loaded.preprocessing), labels_of(train), balanced=parameters.balanced)
    kept = balanced_alignment(kept) if parameters.balanced else kept
    return Prepared(parent, model, training, kept, measured, watched, counts(correction))


def delivered(job: Job, parameters: RealignmentParameters, ready: Prepared, figures: list[dict[str, Any]]) -> Write:
    """The checkpoint of an arm: of the correction the epoch that the guard chooses, of the control the same one."""
    keep, watch, told = keep_epochs(job, figures), ready.watched.watch, dict[str, Any]()
    loss: Loss = CONTROL if watch is None else parameters.loss
    chosen = job.previous.get(CHOSEN)
    if watch is not None:
        record = ready.watched.record()
        chosen, told = record.epoch, {KEY: record.model_dump(mode="json"), **ready.counts}
    made = aligned_checkpoint(ready.parent, loss, storage().put(checkpoints.to_safetensors(chosen_model(ready))))

    def write(session: Session, run: Run) -> dict[str, Any]:
        outcome = keep(session, run)
        checkpoint = add_checkpoint(session, run, made)
        key = "control_id" if loss == CONTROL else "checkpoint_id"
        run.result = {**run.result, key: str(checkpoint.id), **told}
        return {**outcome, CHOSEN: chosen}

    return write


def chosen_model(ready: Prepared) -> nn.Module:
    """With the weights of the epoch that is delivered; the control has trained up to it, and no further."""
    watch = ready.watched.watch
    if watch is not None:
        assert watch.weights is not None
        ready.model.load_state_dict(watch.weights)
    return ready.model


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
    return Made(
        name=name_after(parent, loss),
        origin=Origin.CONTROL if loss == CONTROL else Origin.REALIGNED,
        architecture=parent.architecture,
        input=Input(size=parent.size, channels=channels, mean=tuple(parent.mean), std=tuple(parent.std)),
        weights=weights,
        choice=Choice(parent.attribution, parent.completeness_error, parent.attribution_reason),  # type: ignore[arg-type]
        parent_id=parent.id,
    )


def name_after(parent: Checkpoint, loss: Loss) -> str:
    """A name that does not grow with the rounds."""
    if loss == CONTROL:
        return f"{parent.name}, without correction"
    if found := REALIGNED.fullmatch(parent.name):
        return f"{found['name']}, realigned {int(found['times'] or 1) + 1} times"
    return f"{parent.name}, realigned"


def counts(correction: Correction) -> dict[str, int]:
    return {
        "images": len(correction.rows),
        "spurious_clusters": sum(len(some) for some in correction.spurious),
        "images_with_spurious": sum(bool(some) for some in correction.spurious),
    }
