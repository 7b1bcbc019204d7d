"""Stage 2 and 3 of an analysis: attribution and clusters of the alignment set."""

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor

from app.db import reading
from app.models import Cluster, Explanation, Run, Shard, Stage, TargetClass
from app.runs.clustering import clustering_in
from app.runs.parameters import AnalysisParameters
from worker.method.answers import logits_of
from worker.method.attribution import attribute
from worker.method.causal_check import CausalCheck, causal_check
from worker.method.clustering import Clustering, cluster
from worker.method.masks import overlap
from worker.method.summary import place
from worker.tasks.inputs import (
    ImageRow,
    Loaded,
    baseline_images,
    device,
    labels_of,
    load_checkpoint,
    pictures,
    rows_by_id,
    store_array,
    store_assignment,
    true_masks,
)
from worker.tasks.job import Job, Plan, Write

SHARD = 20
# A component that lost its evidence to the others is no cluster to show anyone.
LEAST_SHARE = 0.01


def plan(session: Session, run: Run) -> Plan:
    return Plan(len(selection(session, run.id)["images"]), SHARD)


def selection(session: Session, run_id: UUID) -> dict[str, Any]:
    outcome = session.scalar(select(Shard.outcome).where(Shard.run_id == run_id, Shard.stage == Stage.SELECT))
    return outcome or {"images": [], "probabilities": [], "entropies": []}


def work(job: Job) -> Write:
    parameters = job.parameters(AnalysisParameters)
    loaded = load_checkpoint(parameters.checkpoint_id)
    with reading() as session:
        chosen = selection(session, job.run_id)
        rows = rows_by_id(session, [UUID(image) for image in chosen["images"][job.first : job.last]])
        baselines = baseline_images(session, job.material.datasets, loaded.preprocessing, parameters.seed)
        by_class = select(TargetClass.id).where(TargetClass.project_id == job.project_id)
        class_ids = session.scalars(by_class.order_by(TargetClass.position)).all()
        cut = clustering_in(session, job.run_id)
    images, labels = pictures(rows, loaded.preprocessing), labels_of(rows)
    on = device()
    phi = attribute(loaded.model, images.to(on), labels.to(on), baselines.to(on), loaded.method).cpu()
    job.check()
    clustering = cluster(phi, cut.components, cut.sharpening, cut.support)
    checked = causal_check(partial(logits_of, loaded.model), images, labels, clustering.assignment, cut.components)
    masks = true_masks(rows, loaded.preprocessing.size)
    truth = overlap(clustering.assignment, phi, masks, cut.sharpening, cut.components)
    explanations = describe(job, loaded, rows, Measured(phi, clustering, checked, truth))
    for index, explanation in enumerate(explanations):
        position = job.first + index
        probabilities = chosen["probabilities"][position]
        explanation.position = position
        explanation.probabilities = probabilities
        explanation.predicted_id = class_ids[int(np.argmax(probabilities))]
        explanation.entropy = chosen["entropies"][position]

    def write(session: Session, run: Run) -> dict[str, Any]:
        del run
        session.add_all(explanations)
        return {}

    return write


@dataclass(frozen=True)
class Measured:
    """Of B images: attributions (B, H, W), their clusters, and what is known of each; truth (B, J) as ``overlap``."""

    phi: Tensor
    clustering: Clustering
    checked: CausalCheck
    truth: Tensor


def describe(job: Job, loaded: Loaded, rows: list[ImageRow], measured: Measured) -> list[Explanation]:
    """Rows of the explanations and their clusters, the largest share first."""
    phi, clustering = measured.phi, measured.clustering
    made = []
    for index, row in enumerate(rows):
        order = [j for j in clustering.share[index].argsort(descending=True).tolist() if is_shown(clustering, index, j)]
        numbered = np.zeros(phi.shape[1:], dtype=np.uint8)
        for number, j in enumerate(order, start=1):
            numbered[(clustering.assignment[index] == j).numpy()] = number
        made.append(
            Explanation(
                run_id=job.run_id,
                checkpoint_id=loaded.id,
                image_id=row.id,
                attribution=store_array(phi[index].numpy().astype(np.float16)),
                assignment=store_assignment(numbered),
                log_likelihood=clustering.log_likelihood[index].item(),
                clusters=[
                    cluster_row(measured, index, j, number, is_known=row.mask_blob is not None)
                    for number, j in enumerate(order, start=1)
                ],
            )
        )
    return made


def is_shown(clustering: Clustering, index: int, j: int) -> bool:
    return bool(clustering.share[index, j] >= LEAST_SHARE and (clustering.assignment[index] == j).any())


def cluster_row(measured: Measured, index: int, j: int, number: int, *, is_known: bool) -> Cluster:
    """is_known: whether there is a true mask, so that what lies on it may be told."""
    clustering, checked = measured.clustering, measured.checked
    x, y = clustering.means[index, j].tolist()
    variances = clustering.covariances[index, j].diagonal()
    spread = variances.mean().clamp(min=0).sqrt().item()
    return Cluster(
        number=number,
        share=clustering.share[index, j].item(),
        area=(clustering.assignment[index] == j).float().mean().item(),
        x=x,
        y=y,
        spread=spread,
        place=place((x, y), spread),
        effect=checked.fall[index, j].item(),
        odds_fall=checked.odds_fall[index, j].item(),
        truth=measured.truth[index, j].item() if is_known else None,
    )
