"""The report of each checkpoint on each split: groups, evidence on what is spurious, and the test that settles it."""

from typing import Any
from uuid import UUID

import torch
from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor

from app.db import reading
from app.models import Image, Prediction, Project, Report, Run, Split
from app.models.figures import Estimate, Figures, Group, Settling
from worker.method import evaluation
from worker.method.attribution import attribute
from worker.tasks.corrections import Correction, correction_of
from worker.tasks.epochs import group_names
from worker.tasks.evaluated import evaluated
from worker.tasks.inputs import (
    ImageRow,
    Loaded,
    baseline_images,
    device,
    image_rows,
    labels_of,
    load_checkpoint,
    pictures,
    true_masks,
)
from worker.tasks.job import Job, Plan, Write

# Explanations are slow: so many images with a true mask are explained for mu_align, drawn with the seed.
EXPLAINED = 200
SETTLED = 500
PORTION = 50
TRUE_MASKS = "true masks"
EVIDENCE = ("evidence_on_spurious", "evidence_on_relevant", "evidence_outside")
SPURIOUS_CLUSTERS = "clusters that stand as spurious, alignment images"


def plan(session: Session, run: Run) -> Plan:
    return Plan(len(evaluated(session, run).pairs()), 1)


def work(job: Job) -> Write:
    with reading() as session:
        checkpoint_id, split = evaluated(session, session.get_one(Run, job.run_id)).pairs()[job.first]
        rows = image_rows(session, job.material.datasets, split)
        correct = correct_by_image(session, job.run_id, checkpoint_id, split)
        group_by = session.get_one(Project, job.project_id).group_by
        correction = correction_of(session, job.material)
        loaded = load_checkpoint(checkpoint_id)
        baselines = baseline_images(session, job.material.datasets, loaded.preprocessing, seed=0)
        known = on_another_split(session, job.run_id, checkpoint_id)
    hits = torch.tensor([correct[row.id] for row in rows])
    figures = measured(job, loaded, baselines, rows, hits, group_by, correction, known).model_dump(mode="json")

    def write(session: Session, run: Run) -> dict[str, Any]:
        report = Report(
            project_id=run.project_id, checkpoint_id=checkpoint_id, run_id=run.id, split=split, figures=figures
        )
        session.add(report)
        return {}

    return write


def correct_by_image(session: Session, run_id: UUID, checkpoint_id: UUID, split: Split) -> dict[UUID, bool]:
    statement = (
        select(Prediction.image_id, Prediction.correct)
        .join(Image, Image.id == Prediction.image_id)
        .where(Prediction.run_id == run_id, Prediction.checkpoint_id == checkpoint_id, Image.split == split)
    )
    return dict(session.execute(statement).all())


def on_another_split(session: Session, run_id: UUID, checkpoint_id: UUID) -> Figures | None:
    """What this run found of the checkpoint already: figures of the alignment images are the same on every split."""
    stored = session.scalar(
        select(Report.figures).where(Report.run_id == run_id, Report.checkpoint_id == checkpoint_id).limit(1)
    )
    return Figures.model_validate(stored) if stored else None


def measured(
    job: Job,
    loaded: Loaded,
    baselines: Tensor,
    rows: list[ImageRow],
    hits: Tensor,
    group_by: list[Any],
    correction: Correction,
    known: Figures | None = None,
) -> Figures:
    names = group_names(rows, group_by)
    groups = evaluation.by_group(hits, names)
    worst = evaluation.worst_group(groups)
    first = {name: row for row, name in zip(reversed(rows), reversed(names), strict=True)}
    job.check()
    return Figures(
        accuracy=as_estimate(evaluation.proportion(hits)),
        groups=[
            Group(
                name=name,
                class_name=first[name].class_name,
                attributes={key: str(first[name].attributes.get(key, "")) for key in group_by},
                accuracy=as_estimate(groups[name]),
                counts=groups[name].n >= evaluation.MIN_GROUP,
            )
            for name in sorted(groups)
        ],
        worst_group=as_estimate(worst[1]) if worst else Estimate(missing=TOO_SMALL),
        worst_group_name=worst[0] if worst else "",
        average_of_groups=average(groups),
        mu_align=mu_align(job, loaded, baselines, rows),
        **(known_evidence(known) if known else evidence_by_verdict(job, loaded, baselines, correction)),
        settling=[
            *settled_on_truth(job, loaded, rows),
            *(of_clusters(known.settling) if known else settled_on_clusters(job, loaded, correction)),
        ],
    )


TOO_SMALL = f"Every group has fewer than {evaluation.MIN_GROUP} images."


def as_estimate(given: evaluation.Proportion | evaluation.Estimate) -> Estimate:
    return Estimate(value=given.value, low=given.low, high=given.high, n=given.n)


def average(groups: dict[str, evaluation.Proportion]) -> Estimate:
    found = evaluation.average_of_groups(groups)
    return as_estimate(found) if found else Estimate(missing=TOO_SMALL)


def sample(rows: list[ImageRow], count: int) -> list[ImageRow]:
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:count].sort().values
    return [rows[i] for i in order.tolist()]


def attributions(job: Job, loaded: Loaded, baselines: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """(N, H, W) on the CPU."""
    on, parts = device(), []
    for first in range(0, len(images), PORTION):
        job.check()
        some, label = images[first : first + PORTION].to(on), labels[first : first + PORTION].to(on)
        parts.append(attribute(loaded.model, some, label, baselines.to(on), loaded.method).cpu())
    return torch.cat(parts)


def mu_align(job: Job, loaded: Loaded, baselines: Tensor, rows: list[ImageRow]) -> Estimate:
    """1 - the share of attribution on the true spurious mask; only where such masks were imported."""
    some = sample([row for row in rows if row.mask_blob], EXPLAINED)
    if not some:
        return Estimate(missing="The data set has no true masks of what is spurious.")
    images = pictures(some, loaded.preprocessing)
    phi = attributions(job, loaded, baselines, images, labels_of(some))
    return as_estimate(evaluation.mu_align(phi, true_masks(some, loaded.preprocessing.size)))


def known_evidence(figures: Figures) -> dict[str, Estimate]:
    return {name: getattr(figures, name) for name in EVIDENCE}


def evidence_by_verdict(job: Job, loaded: Loaded, baselines: Tensor, correction: Correction) -> dict[str, Estimate]:
    """Shares of the attribution by what stands of its place, over the alignment images with a spurious cluster.

    They show whether evidence that left what is spurious went to what is relevant; the rest is on uncertain clusters.
    """
    chosen = correction.with_spurious()[:EXPLAINED]
    if not chosen:
        return dict.fromkeys(EVIDENCE, Estimate(missing="No region stands as spurious yet."))
    aligned, size = correction.images(loaded.preprocessing), loaded.preprocessing.size
    phi = attributions(job, loaded, baselines, aligned.images[chosen], aligned.labels[chosen])
    relevant = correction.covering(size, correction.relevant)
    outside = 1 - correction.covering(size, correction.every_number())
    places = (aligned.masks, relevant, outside)
    return {name: share_on(phi, place[chosen, 0] > 0) for name, place in zip(EVIDENCE, places, strict=True)}


def share_on(phi: Tensor, place: Tensor) -> Estimate:
    """phi: (N, H, W); place: (N, H, W) bool."""
    off = evaluation.mu_align(phi, place)
    return Estimate(value=1 - off.value, low=1 - off.high, high=1 - off.low, n=off.n)


def settled_on_truth(job: Job, loaded: Loaded, rows: list[ImageRow]) -> list[Settling]:
    """On the images of the split, with the true masks, where they were imported; the others only take regions on."""
    if not any(row.mask_blob for row in rows):
        return []
    job.check()
    some = sample(rows, SETTLED)
    masks = true_masks(some, loaded.preprocessing.size)[:, None].float()
    return settle(loaded, pictures(some, loaded.preprocessing), labels_of(some), masks, TRUE_MASKS)


def settled_on_clusters(job: Job, loaded: Loaded, correction: Correction) -> list[Settling]:
    if not correction.with_spurious():
        return []
    job.check()
    aligned = correction.images(loaded.preprocessing)
    return settle(loaded, aligned.images, aligned.labels, aligned.masks, SPURIOUS_CLUSTERS)


def of_clusters(settled: list[Settling]) -> list[Settling]:
    return [one for one in settled if one.regions == SPURIOUS_CLUSTERS]


def settle(loaded: Loaded, images: Tensor, labels: Tensor, masks: Tensor, regions: str) -> list[Settling]:
    on = device()
    effects = evaluation.settling_test(loaded.model, images.to(on), labels.to(on), masks.to(on), seed=0)
    return [
        Settling(operation=operation, regions=regions, flipped=as_estimate(effect.flipped), change=effect.change.value)
        for operation, effect in effects.items()
    ]
