"""Training cut into chunks of epochs: each shard takes the state from the one before and hands its own on."""

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor, nn

from app.languages.messages import Message
from app.models import Epoch, Run
from app.runs.leftovers import STATE, forget_later
from app.storage import storage
from worker.method.answers import logits_of
from worker.method.balance import cut_evenly
from worker.method.evaluation import by_group, worst_group
from worker.method.guard import Watch
from worker.method.realignment import (
    AlignmentImages,
    Batches,
    EpochFigures,
    RealignmentSettings,
    State,
    realign,
    start,
)
from worker.tasks.inputs import ImageRow, device
from worker.tasks.job import Job, RefusedError, Write
from worker.tasks.machine import note_machine

# About half a minute of training a shard on one core, so that a killed worker costs no more than that.
PIXELS_A_SHARD = 3e7
LONGEST = 10
ARM, SECONDS = "arm", "seconds"


@dataclass(frozen=True)
class Measured:
    """Validation images, their labels and the names of their groups.

    balanced: after each epoch the answer is cut on them so that every class counts as much as another.
    also: what else is measured after each epoch, given the model and which validation images it answers rightly (V,);
        and whether the training ends there.
    """

    images: Tensor
    labels: Tensor
    groups: list[str]
    balanced: bool = False
    also: Callable[[nn.Module, Tensor], tuple[dict[str, Any], bool]] = lambda _, __: ({}, False)

    def right(self, model: nn.Module) -> Tensor:
        """Which of the images the model answers rightly: (V,) bool."""
        if not len(self.labels):
            return torch.zeros(0, dtype=torch.bool)
        return logits_of(model, self.images).argmax(dim=1) == self.labels


def epochs_a_shard(epochs: int, images: int, size: int) -> int:
    """The largest divisor of the epochs that stays near half a minute, so that no shard holds two arms."""
    wanted = max(1, min(LONGEST, round(PIXELS_A_SHARD / max(1, images * size * size))))
    return max(n for n in range(1, wanted + 1) if epochs % n == 0)


def train_chunk(
    job: Job,
    model: nn.Module,
    training: Batches,
    alignment: AlignmentImages | None,
    settings: RealignmentSettings,
    measured: Measured,
    arm: str,
    seed: int,
    first_of_arm: bool,
) -> tuple[State, list[dict[str, Any]]]:
    """Trains the job's epochs; the model is left with its new weights. Returns the state and each epoch's figures."""
    figures: list[dict[str, Any]] = []
    began = time.monotonic()

    def on_epoch(reached: EpochFigures) -> bool:
        nonlocal began
        job.check()
        if measured.balanced:
            cut_evenly(model, measured.images, measured.labels)
        correct = measured.right(model)
        more, ends = measured.also(model, correct)
        point = {ARM: arm, **in_figures(reached), **on_validation(correct, measured.groups), **more}
        refuse_divergence(model, point, reached.epoch)
        now = time.monotonic()
        figures.append({**point, SECONDS: now - began})
        began = now
        return ends

    state = start(model, settings) if first_of_arm else load_state(job.previous[STATE])
    after = realign(
        model,
        state,
        training,
        alignment,
        settings,
        seed=seed,
        device=device(),
        epochs=job.last - job.first,
        on_epoch=on_epoch,
    )
    return after, figures


def in_figures(reached: EpochFigures) -> dict[str, Any]:
    return {
        "epoch": reached.epoch,
        "loss": reached.loss,
        "penalty": reached.penalty,
        "accuracy": reached.accuracy,
    }


def refuse_divergence(model: nn.Module, figures: dict[str, Any], epoch: int) -> None:
    """No checkpoint is made of weights that are no numbers, and no curve is drawn of such figures."""
    numbers = [figure for figure in figures.values() if isinstance(figure, float)]
    weights = [values.isfinite().all().item() for values in model.state_dict().values()]
    if not all(math.isfinite(number) for number in numbers) or not all(weights):
        raise RefusedError(
            Message("The training diverged in epoch %(epoch)s; lower the learning rate or the strength.", epoch=epoch)
        )


def on_validation(correct: Tensor, groups: list[str]) -> dict[str, Any]:
    """Accuracy and worst group; nothing where there are no validation images."""
    if not len(correct):
        return {}
    worst = worst_group(by_group(correct, groups))
    return {
        "validation_accuracy": correct.float().mean().item(),
        "validation_n": len(correct),
        "worst_group": worst[1].value if worst else None,
        "worst_group_name": worst[0] if worst else "",
    }


def save_state(state: State, job: Job, watch: Watch | None = None) -> str:
    """The blob carries its run's name, so that no two runs share one and each may forget its own."""
    held, watched = io.BytesIO(), watch.as_dict() if watch else None
    torch.save({"run": str(job.run_id), "state": state.as_dict(), "watch": watched}, held)
    return storage().put(held.getvalue())


def load_state(digest: str) -> State:
    return State.from_dict(saved(digest)["state"])


def load_watch(digest: str) -> Watch:
    return Watch.from_dict(saved(digest)["watch"])


def saved(digest: str) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(io.BytesIO(storage().get(digest)), weights_only=True)
    return found


def keep_epochs(job: Job, figures: list[dict[str, Any]], handed_on: dict[str, Any] | None = None) -> Write:
    """Writes the points of the curves, and what the next shard goes on from, in place of what this one went on from.

    handed_on: STATE is its blob; nothing after the last epochs of an arm.
    """

    def write(session: Session, run: Run) -> dict[str, Any]:
        numbers = set(session.scalars(select(Epoch.number).where(Epoch.run_id == run.id)))
        for index, point in enumerate(figures):
            if job.first + index not in numbers:
                session.add(Epoch(run_id=run.id, number=job.first + index, figures=point))
        note_machine(run)
        if STATE in job.previous:
            forget_later(session, job.previous[STATE])
        return handed_on or {}

    return write


def group_names(rows: list[ImageRow], group_by: list[Any]) -> list[str]:
    """Class and chosen attributes of each image, as people read it: ``3, decoy: other``."""
    return [
        ", ".join([row.class_name, *(f"{key}: {row.attributes.get(key, '–')}" for key in group_by)]) for row in rows
    ]
