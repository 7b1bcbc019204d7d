"""Stage 1 of a consensus: what every cluster of the analysis looks like, in numbers.

The clusters of an analysis never change, so that only its first consensus computes this; later ones take it over.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import torch
from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload
from torch import Tensor, nn

from app.db import reading
from app.models import Checkpoint, Explanation, Kind, Run, Shard, Stage, State
from app.runs.clustering import clustering_in
from app.runs.parameters import ConsensusParameters
from worker.method.cluster_features import FEATURES, cluster_features, crops
from worker.method.stored_clusters import restored
from worker.tasks.inputs import ImageRow, device, load_array, load_assignment, pictures, rows_by_id, store_array
from worker.tasks.job import Job, Plan, Write
from worker.vision.activations import SIZE, imagenet_network, penultimate
from worker.vision.preprocessing import Preprocessing

SHARD = 40
# Images described at once, which bounds the memory: each of their clusters is a picture of its own.
PORTION = 10
KEY, BLOB = "looks", "looks"


@dataclass(frozen=True)
class Explained:
    """An explanation as this stage needs it; ``shares`` in the order of its clusters' numbers."""

    image: ImageRow
    attribution: str
    assignment: str
    shares: list[float]


def plan(session: Session, run: Run) -> Plan:
    analysis = analysis_of(session, ConsensusParameters.model_validate(run.parameters).critique_id)
    if known := known_looks(session, analysis):
        run.result = {**run.result, KEY: known}
        return Plan(0, SHARD)
    total = session.scalar(select(func.count()).select_from(Explanation).where(Explanation.run_id == analysis))
    return Plan(total or 0, SHARD)


def analysis_of(session: Session, critique_id: UUID) -> UUID:
    return UUID(session.get_one(Run, critique_id).parameters["analysis_id"])


def known_looks(session: Session, analysis: UUID) -> list[str]:
    """Of an earlier consensus on the same analysis, under whichever specification; empty where there is none."""
    of_it = (Run.kind == Kind.CRITIQUE, Run.parameters["analysis_id"].as_string() == str(analysis))
    critiques = [str(each) for each in session.scalars(select(Run.id).where(*of_it))]
    earlier = session.scalar(
        select(Run)
        .where(
            Run.kind == Kind.CONSENSUS,
            Run.state == State.SUCCEEDED,
            Run.parameters["critique_id"].as_string().in_(critiques),
        )
        .order_by(Run.created_at.desc())
        .limit(1)
    )
    return earlier.result[KEY] if earlier else []


def work(job: Job) -> Write:
    with reading() as session:
        analysis = session.get_one(Run, analysis_of(session, job.parameters(ConsensusParameters).critique_id))
        rows, form = explained(session, analysis, job.first, job.last)
        sharpening = clustering_in(session, analysis.id).sharpening
    described = []
    for first in range(0, len(rows), PORTION):
        job.check()
        described.append(looks(rows[first : first + PORTION], form, sharpening))
    blob = store_array(np.concatenate(described))

    def write(session: Session, run: Run) -> dict[str, Any]:
        del session, run
        return {BLOB: blob}

    return write


def explained(session: Session, analysis: Run, first: int, last: int) -> tuple[list[Explained], Preprocessing]:
    """Some explanations, and how their pictures are to be seen: in [-1, 1], as the describing network expects it."""
    statement = (
        select(Explanation)
        .where(Explanation.run_id == analysis.id)
        .order_by(Explanation.position)
        .options(selectinload(Explanation.clusters))
        .offset(first)
        .limit(last - first)
    )
    found = session.scalars(statement).all()
    images = rows_by_id(session, [each.image_id for each in found])
    checkpoint = session.get_one(Checkpoint, found[0].checkpoint_id)
    half = (0.5,) * checkpoint.channels
    form = Preprocessing(checkpoint.size, 1 if checkpoint.channels == 1 else 3, half, half)
    rows = [
        Explained(image, each.attribution, each.assignment, [cluster.share for cluster in each.clusters])
        for each, image in zip(found, images, strict=True)
    ]
    return rows, form


def looks(rows: list[Explained], form: Preprocessing, sharpening: float) -> npt.NDArray[np.float32]:
    """(n, F + E): one row a cluster, image by image, by number; E is 0 where no describing network is installed."""
    most = max(len(row.shares) for row in rows)
    if most == 0:
        return np.zeros((0, len(FEATURES)), dtype=np.float32)
    shares = torch.tensor([row.shares + [0.0] * (most - len(row.shares)) for row in rows])
    numbers = torch.stack([torch.from_numpy(load_assignment(row.assignment).astype("int64")) for row in rows])
    attribution = torch.stack([torch.from_numpy(load_array(row.attribution).astype("float32")) for row in rows])
    clusters = restored(numbers, attribution, shares, sharpening)
    images = pictures([row.image for row in rows], form)
    there = torch.arange(most) < torch.tensor([len(row.shares) for row in rows])[:, None]
    columns = [cluster_features(images, attribution, clusters, sharpening)[there]]
    if (network := describing_network()) is not None:
        columns.append(seen_by(network, crops(images, clusters, SIZE)[there]))
    return torch.cat(columns, dim=1).numpy()


def seen_by(network: nn.Module, cuts: Tensor) -> Tensor:
    return penultimate(network, cuts.expand(-1, 3, -1, -1).to(device()))


@lru_cache(maxsize=1)
def describing_network() -> nn.Module | None:
    network = imagenet_network()
    return None if network is None else network.to(device())


def looks_of(session: Session, run_id: UUID) -> list[str]:
    """The blobs that the shards of this stage made, in the order of the images."""
    mine = (Shard.run_id == run_id, Shard.stage == Stage.CHARACTERISE)
    return [outcome[BLOB] for outcome in session.scalars(select(Shard.outcome).where(*mine).order_by(Shard.number))]
