"""The last stage of an analysis: per class, what the model bases its decision on, in figures and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import torch
from PIL.Image import Resampling
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.config import settings
from app.db import reading
from app.models import Explanation, Image, Run
from app.models.summary import kept
from app.runs.clustering import clustering_in
from app.runs.parameters import AnalysisParameters
from app.storage import storage
from worker.method.clustering import evidence
from worker.method.looks import Look, colours
from worker.method.regions import ClusterFacts
from worker.tasks.class_summary import class_summary
from worker.tasks.inputs import load_array, load_assignment
from worker.tasks.job import Job, Plan, Write
from worker.vision.pictures import load_image


def plan(session: Session, run: Run) -> Plan:
    """One piece of work: all images of a class go into one figure."""
    del session, run
    return Plan(1, 1)


def work(job: Job) -> Write:
    parameters = job.parameters(AnalysisParameters)
    with reading() as session:
        explanations = explanations_of(session, job.run_id)
        sharpening = clustering_in(session, job.run_id).sharpening
    seen: list[Seen] = []
    for explanation in explanations:
        job.check()
        seen.append(see(explanation, sharpening))
    told = summaries(seen, parameters.seed)

    def write(session: Session, run: Run) -> dict[str, Any]:
        del session
        run.result = {**run.result, **kept(told)}
        return {}

    return write


@dataclass(frozen=True)
class Seen:
    """One explanation, with its clusters as they lie in the picture; none where nothing speaks for the label."""

    id: UUID
    class_id: UUID
    class_name: str
    has_evidence: bool
    clusters: list[ClusterFacts]


def explanations_of(session: Session, run_id: UUID) -> Sequence[Explanation]:
    statement = (
        select(Explanation)
        .where(Explanation.run_id == run_id)
        .options(joinedload(Explanation.image).joinedload(Image.target_class), joinedload(Explanation.clusters))
        .order_by(Explanation.position)
    )
    return session.scalars(statement).unique().all()


def see(explanation: Explanation, sharpening: float) -> Seen:
    """The share of a cluster is here what lies on its pixels, so that what lies outside all of them can be told."""
    attribution = torch.from_numpy(load_array(explanation.attribution).astype(np.float32))
    weights = evidence(attribution[None], sharpening)[0].double().numpy()
    assignment = load_assignment(explanation.assignment)
    height, width = assignment.shape
    picture = load_image(storage().get(explanation.image.blob), settings().max_image_pixels)
    small = picture.convert("RGB").resize((width, height), Resampling.BOX)
    inside, ground = colours(np.asarray(small, dtype=np.float64) / 255, weights, assignment)
    shares = np.bincount(assignment.ravel(), weights.ravel())
    return Seen(
        id=explanation.id,
        class_id=explanation.image.class_id,
        class_name=explanation.image.target_class.name,
        has_evidence=bool(weights.any()),
        clusters=[
            ClusterFacts(
                image_id=str(explanation.id),
                number=cluster.number,
                share=float(shares[cluster.number]),
                words=cluster.words,
                look=Look(
                    cluster.place, cluster.x, cluster.y, cluster.spread, cluster.area, inside[cluster.number], ground
                ),
                effect=cluster.effect,
            )
            for cluster in explanation.clusters
            if cluster.number in inside
        ],
    )


def summaries(seen: Sequence[Seen], seed: int) -> dict[str, Any]:
    """``ClassSummary`` by class id, as JSON."""
    made = {}
    for class_id, name in dict.fromkeys((each.class_id, each.class_name) for each in seen):
        mine = [each for each in seen if each.class_id == class_id]
        speaking = [each for each in mine if each.has_evidence]
        told = class_summary(
            name,
            [cluster for each in speaking for cluster in each.clusters],
            [str(each.id) for each in speaking],
            len(mine) - len(speaking),
            seed,
        )
        made[str(class_id)] = told.model_dump(mode="json")
    return made
