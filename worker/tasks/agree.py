"""Stage 2 of a consensus: what the judge's verdicts and people's reviews say of each other, over all images.

The judge's verdicts stay as they are: a row is added for every cluster, and the newest consensus counts. Reviews are
those that stand when the work begins; who answers later is heard by the next consensus.
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import numpy.typing as npt
from sqlalchemy import and_, insert, select
from sqlalchemy.orm import Session

from app.db import reading
from app.models import (
    AgreedVerdict,
    Cluster,
    Critique,
    Explanation,
    Image,
    Run,
    Source,
    TargetClass,
    Verdict,
    VerdictValue,
    consensus_record,
)
from app.review.order import need
from app.review.standing import newest_answers, settle
from app.runs.parameters import ConsensusParameters, CritiqueParameters
from worker.method.cluster_features import FEATURES
from worker.method.consensus import Consensus, Difference, FellBack, disagreement
from worker.method.consensus_in_parts import HALF, MOST, agree, are_enough
from worker.method.naming import key, most_frequent
from worker.method.similarity import Clusters, Floats, kinds
from worker.tasks.characterise import KEY, analysis_of, looks_of
from worker.tasks.inputs import load_array
from worker.tasks.job import Job, Plan, Write

# Clusters that get a place in the order: more than anyone answers before the next consensus.
ORDERED = 24
KINDS = 8
WORDS = {VerdictValue.SPURIOUS: True, VerdictValue.RELEVANT: False}
WHY = {
    FellBack.NOT: "",
    FellBack.FEW_IMAGES: consensus_record.FEW_IMAGES,
    FellBack.ONE_VERDICT: consensus_record.ONE_VERDICT,
    FellBack.NO_PATTERN: consensus_record.NO_PATTERN,
}
# The judge's own probability comes back from the consensus rounded to this.
ROUNDED = 0.01


@dataclass(frozen=True)
class Judged:
    """One cluster, with the judge's verdict on it."""

    id: UUID
    explanation: UUID
    class_id: UUID
    class_position: int
    share: float
    effect: float
    words: str
    place: str
    value: VerdictValue
    p_spurious: float
    text: str

    @property
    def word(self) -> float:
        """P(spurious), or NaN where the judge had nothing to go by."""
        said_nothing = self.value is VerdictValue.UNCERTAIN and not self.text
        return float("nan") if said_nothing else self.p_spurious


@dataclass(frozen=True)
class Known:
    """All that a consensus goes by; the clusters in the order of the rows of ``looks``.

    reviewed: what people's newest answers come to, by cluster.
    """

    clusters: list[Judged]
    looks: npt.NDArray[np.float32]
    reviewed: dict[UUID, VerdictValue]
    thresholds: tuple[float, float]


def plan(session: Session, run: Run) -> Plan:
    run.result = {**run.result, KEY: run.result.get(KEY) or looks_of(session, run.id)}
    return Plan(1, 1)


def work(job: Job) -> Write:
    parameters = job.parameters(ConsensusParameters)
    with reading() as session:
        known = known_of(session, session.get_one(Run, job.run_id), parameters.critique_id)
    rows, told = agreed(job, known, parameters.seed) if known.clusters else ([], {})

    def write(session: Session, run: Run) -> dict[str, Any]:
        if rows:
            session.execute(insert(AgreedVerdict), [{"id": uuid4(), "run_id": run.id, **row} for row in rows])
        run.result = {**run.result, **told}
        return {}

    return write


def agreed(job: Job, known: Known, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of ``AgreedVerdict``, and what the run's result tells of them."""
    clusters, said = measured(known), np.array([each.word for each in known.clusters])
    index_of = {each.id: index for index, each in enumerate(known.clusters)}
    reviewed = {index_of[each]: value for each, value in known.reviewed.items()}
    reviews = {index: WORDS[value] for index, value in reviewed.items() if value in WORDS}
    found = agree(clusters, said, reviews, ORDERED, not_these=reviewed, seed=seed, most=MOST, check=job.check)
    job.check()
    kind = kinds(clusters, KINDS, seed)
    unsure = [index for index, each in enumerate(known.clusters) if each.value is VerdictValue.UNCERTAIN]
    unsure += [index for index in reviewed if index not in reviews]
    consensus = held_back(found.consensus, known.thresholds, unsure)
    everything, *parts = disagreement(clusters, said, consensus, kind)
    told = {
        "difference": told_of(everything),
        "kinds": [told_of(part) | name_of(known, kind, part) for part in parts],
        "fell_back": why(found.fell_back, said),
        "needed": needed(found.fell_back, reviews),
    }
    return rows_of(known, consensus, reviewed, kind, found.order), told


def known_of(session: Session, run: Run, critique_id: UUID) -> Known:
    clusters, has_verdict = judged_clusters(session, critique_id)
    looks = [load_array(blob) for blob in run.result[KEY]]
    # Workers with and without the describing network may have shared the work: what all have seen is compared.
    width = min((each.shape[1] for each in looks), default=len(FEATURES))
    parameters = CritiqueParameters.model_validate(session.get_one(Run, critique_id).parameters)
    return Known(
        clusters=clusters,
        looks=np.concatenate([each[:, :width] for each in looks])[has_verdict] if looks else np.zeros((0, width), "f4"),
        reviewed=reviewed_clusters(session, critique_id, {each.id for each in clusters}),
        thresholds=(parameters.uncertain_from, parameters.uncertain_to),
    )


def judged_clusters(session: Session, critique_id: UUID) -> tuple[list[Judged], list[bool]]:
    """The clusters with a verdict, and which of all clusters of the analysis they are."""
    of_critique = select(Critique.id).where(Critique.run_id == critique_id)
    rows = session.execute(
        select(Cluster, TargetClass, Verdict)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .join(TargetClass, TargetClass.id == Image.class_id)
        .outerjoin(Verdict, and_(Verdict.cluster_id == Cluster.id, Verdict.critique_id.in_(of_critique)))
        .where(Explanation.run_id == analysis_of(session, critique_id))
        .order_by(Explanation.position, Cluster.number)
    ).all()
    with_verdict = [verdict is not None for _, _, verdict in rows]
    return [judged(cluster, of, verdict) for cluster, of, verdict in rows if verdict is not None], with_verdict


def judged(cluster: Cluster, target: TargetClass, verdict: Verdict) -> Judged:
    return Judged(
        id=cluster.id,
        explanation=cluster.explanation_id,
        class_id=target.id,
        class_position=target.position,
        share=cluster.share,
        effect=cluster.effect,
        words=cluster.words,
        place=cluster.place,
        value=verdict.value,
        p_spurious=verdict.p_spurious,
        text=verdict.text,
    )


def reviewed_clusters(session: Session, critique_id: UUID, among: set[UUID]) -> dict[UUID, VerdictValue]:
    settled = {each: settle(said) for each, said in newest_answers(session, critique_id).items() if each in among}
    return {each: value for each, value in settled.items() if value is not None}


def measured(known: Known) -> Clusters:
    columns = len(FEATURES)
    _, images = np.unique([str(each.explanation) for each in known.clusters], return_inverse=True)
    return Clusters(
        images=images.astype(np.int64),
        classes=np.array([each.class_position for each in known.clusters], dtype=np.int64),
        share=np.array([each.share for each in known.clusters]),
        features=known.looks[:, :columns],
        activations=known.looks[:, columns:] if known.looks.shape[1] > columns else None,
    )


def held_back(found: Consensus, thresholds: tuple[float, float], unsure: list[int]) -> Consensus:
    """Nobody is overruled between the critique's thresholds, nor where judge or people said that they can't tell."""
    low, high = thresholds
    overruled = found.overruled & ((found.p_spurious <= low) | (found.p_spurious >= high))
    overruled[unsure] = False
    return replace(found, overruled=overruled)


def rows_of(
    known: Known, found: Consensus, reviewed: dict[int, VerdictValue], kind: npt.NDArray[np.int64], order: list[int]
) -> list[dict[str, Any]]:
    """What ``AgreedVerdict`` holds of every cluster."""
    ids = [each.id for each in known.clusters]
    rows = []
    for index, each in enumerate(known.clusters):
        value, p_spurious, source = whose(each, found, index, known.thresholds)
        if index in reviewed:
            value, source = reviewed[index], Source.REVIEW
        reason, nearest = int(found.reason[index]), found.nearest[index]
        rows.append(
            {
                "cluster_id": each.id,
                "value": value,
                "p_spurious": p_spurious,
                "source": source,
                "overruled": bool(found.overruled[index]),
                "kind": int(kind[index]),
                "explanation_id": each.explanation,
                "class_id": each.class_id,
                "reason_id": ids[reason] if reason >= 0 else None,
                "nearest": [str(ids[other]) for other in nearest[nearest >= 0].tolist()],
            }
        )
    for place, index in enumerate(reading_order(known, rows, reviewed, order), 1):
        rows[index]["place"] = place
    return rows


def reading_order(
    known: Known, rows: list[dict[str, Any]], reviewed: dict[int, VerdictValue], order: list[int]
) -> list[int]:
    """All clusters by how much they need a reader; those that people have answered come last."""
    first = {index: place for place, index in enumerate(order, 1)}

    def key_of(index: int) -> tuple[bool, tuple[float, float, UUID]]:
        each, value = known.clusters[index], rows[index]["value"]
        influence = each.share + abs(each.effect)
        return index in reviewed, need(first.get(index), value, each.p_spurious, influence, each.id)

    return sorted(range(len(rows)), key=key_of)


def whose(
    each: Judged, found: Consensus, index: int, thresholds: tuple[float, float]
) -> tuple[VerdictValue, float, Source]:
    """The verdict, P(spurious), and whose word that is: the judge's where nothing was learned from other images."""
    low, high = thresholds
    p_spurious = float(found.p_spurious[index])
    own = HALF if np.isnan(each.word) else each.word
    if found.source[index] == "judge" and abs(p_spurious - own) <= ROUNDED:
        return each.value, each.p_spurious, Source.JUDGE
    if low < p_spurious < high:
        return VerdictValue.UNCERTAIN, p_spurious, Source.PROBE
    return VerdictValue.SPURIOUS if p_spurious >= high else VerdictValue.RELEVANT, p_spurious, Source.PROBE


def told_of(difference: Difference) -> dict[str, Any]:
    """As the run's result keeps it, in numbers of clusters and in shares."""
    clusters = len(difference.clusters)
    return {
        "clusters": clusters,
        "share": difference.share,
        "differ": round(difference.differs * clusters),
        "judged_spurious": difference.judged_spurious,
        "found_spurious": difference.found_spurious,
        "reviewed": difference.reviewed,
    }


def name_of(known: Known, kind: npt.NDArray[np.int64], difference: Difference) -> dict[str, Any]:
    """The number of a kind, what its clusters are called where most have a name, and where most of them lie."""
    members = [known.clusters[index] for index in difference.clusters.tolist()]
    named = [each.words for each in members if key(each.words)]
    place = most_frequent([each.place for each in members])
    name = f"{most_frequent(named)}, {place}" if 2 * len(named) > len(members) else place
    return {"kind": int(kind[difference.clusters[0]]), "name": name}


def why(fell_back: FellBack, said: Floats) -> str:
    """Why verdicts on similar regions were not compared, for a person; empty where they were."""
    return consensus_record.UNJUDGED if fell_back and np.isnan(said).all() else WHY[fell_back]


def needed(fell_back: FellBack, reviews: dict[int, bool]) -> str:
    """What people's words alone have to come to, where they have not and nothing else is read; empty else."""
    waits = fell_back not in {FellBack.NOT, FellBack.FEW_IMAGES}
    return consensus_record.TOO_FEW if waits and not are_enough(reviews) else ""
