"""The last stage of an analysis: per class, in sentences, what the model bases its decision on."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.models import Cluster, Explanation, Image, Run, TargetClass
from worker.method.summary import ClusterFacts, Sentence, summarise
from worker.tasks.job import Job, Plan, Write


def plan(session: Session, run: Run) -> Plan:
    del session, run
    return Plan(1, 1)


def work(job: Job) -> Write:
    """The figures are read and written in one transaction: there is nothing slow to do before it."""

    def write(session: Session, run: Run) -> dict[str, Any]:
        run.result = {**run.result, "summaries": summaries(session, job.run_id)}
        return {}

    return write


def summaries(session: Session, run_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """Sentences by class id, their figures with the explanations behind them."""
    statement = (
        select(Cluster)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .where(Explanation.run_id == run_id)
        .options(
            joinedload(Cluster.explanation).joinedload(Explanation.image).joinedload(Image.target_class),
        )
        .order_by(Explanation.position, Cluster.number)
    )
    facts: dict[TargetClass, list[ClusterFacts]] = defaultdict(list)
    for cluster in session.scalars(statement):
        facts[cluster.explanation.image.target_class].append(
            ClusterFacts(
                image_id=str(cluster.explanation_id),
                number=cluster.number,
                share=cluster.share,
                place=cluster.place,
                words=cluster.words,
                effect=-cluster.effect,
            )
        )
    return {
        str(target.id): [as_json(sentence) for sentence in summarise(target.name, known, images_in(known))]
        for target, known in facts.items()
    }


def images_in(facts: list[ClusterFacts]) -> int:
    return len({fact.image_id for fact in facts})


def as_json(sentence: Sentence) -> dict[str, Any]:
    return {"parts": [{"text": part.text, "images": list(part.image_ids) or None} for part in sentence.parts]}
