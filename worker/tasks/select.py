"""Stage 1 of an analysis: which training images are explained, and how often each kind of sample shows a shortcut."""

from typing import Any

import torch
from sqlalchemy.orm import Session
from torch import Tensor

from app.db import reading
from app.languages.messages import Message
from app.models import Run, Split
from app.runs.clustering import CLUSTERING, ChosenClustering
from app.runs.parameters import AnalysisParameters
from worker.method import sampling
from worker.method.answers import logits_of
from worker.method.attribution import attribute
from worker.method.clustering import cluster
from worker.method.evaluation import proportion
from worker.method.masks import overlap
from worker.tasks.cut import chosen_clustering
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
from worker.tasks.job import Job, Plan, RefusedError, Write
from worker.tasks.material import material_of

# Images of each kind of sample whose clusters are compared with the true masks.
COMPARED = 40
PORTION = 256
MOSTLY = 0.5
SAMPLES: tuple[sampling.Strategy, ...] = ("low_entropy", "low_entropy_per_class", "random", "high_entropy")


def plan(session: Session, run: Run) -> Plan:
    """One shard: the choice needs every image's entropy at once."""
    total = len(image_rows(session, material_of(run).datasets, Split.TRAIN))
    if total == 0:
        raise RefusedError(Message("This project has no training images to explain; import a data set first."))
    return Plan(total, shard_size=total)


def work(job: Job) -> Write:
    parameters = job.parameters(AnalysisParameters)
    loaded = load_checkpoint(parameters.checkpoint_id)
    with reading() as session:
        rows = image_rows(session, job.material.datasets, Split.TRAIN)
        baselines = baseline_images(session, job.material.datasets, loaded.preprocessing, parameters.seed)
    logits = all_logits(job, loaded, rows)
    labels = labels_of(rows)
    chosen = sampling.alignment_set(logits, labels, parameters.count, parameters.strategy, parameters.seed)
    cut = chosen_clustering(job, loaded, [rows[i] for i in chosen.tolist()], baselines)
    compared = compare_samples(job, loaded, rows, logits, baselines, cut)
    images = [str(rows[i].id) for i in chosen.tolist()]
    outcome = {
        "images": images,
        "probabilities": [[round(p, 6) for p in row] for row in logits[chosen].softmax(1).tolist()],
        "entropies": sampling.entropy(logits[chosen]).tolist(),
    }

    def write(session: Session, run: Run) -> dict[str, Any]:
        del session
        kept = cut.model_dump(mode="json")
        run.result = {**run.result, "sampling": compared, "images": len(images), CLUSTERING: kept}
        return outcome

    return write


def all_logits(job: Job, loaded: Loaded, rows: list[ImageRow]) -> Tensor:
    parts = []
    for first in range(0, len(rows), PORTION):
        job.check()
        parts.append(logits_of(loaded.model, pictures(rows[first : first + PORTION], loaded.preprocessing)))
    return torch.cat(parts)


def compare_samples(
    job: Job, loaded: Loaded, rows: list[ImageRow], logits: Tensor, baselines: Tensor, cut: ChosenClustering
) -> dict[str, dict[str, float | int]]:
    """Share of images with a cluster mostly on the true spurious mask, by sample; empty without true masks."""
    if not any(row.mask_blob for row in rows):
        return {}
    parameters = job.parameters(AnalysisParameters)
    found: dict[str, dict[str, float | int]] = {}
    for sample in SAMPLES:
        job.check()
        chosen = sampling.alignment_set(logits, labels_of(rows), COMPARED, sample, parameters.seed).tolist()
        some = [rows[i] for i in chosen]
        images = pictures(some, loaded.preprocessing).to(device())
        phi = attribute(loaded.model, images, labels_of(some).to(device()), baselines.to(device()), loaded.method).cpu()
        clusters = cluster(phi, cut.components, cut.sharpening, cut.support)
        on_truth = overlap(
            clusters.assignment,
            phi,
            true_masks(some, loaded.preprocessing.size),
            cut.sharpening,
            cut.components,
        )
        share = proportion((on_truth > MOSTLY).any(dim=1))
        found[sample] = {"value": share.value, "low": share.low, "high": share.high, "n": share.n}
    return found
