"""What stands for each cluster after review: people's word where there is one, else the judge's."""

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Answer, Cluster, Critique, Explanation, Review, Verdict, VerdictValue

WORDS = {
    Answer.SPURIOUS: VerdictValue.SPURIOUS,
    Answer.RELEVANT: VerdictValue.RELEVANT,
    Answer.CANT_TELL: VerdictValue.UNCERTAIN,
}


@dataclass(frozen=True)
class Standing:
    """The verdict that goes on to realignment; ``uncertain`` stays out of the loss."""

    cluster_id: UUID
    explanation_id: UUID
    number: int
    share: float
    value: VerdictValue
    reviewed: bool


def newest_answers(session: Session, critique_id: UUID) -> dict[UUID, dict[UUID, Answer]]:
    """By cluster and reader. A person's word on a cluster outlasts the critique in which it was given."""
    statement = (
        select(Review)
        .join(Cluster, Cluster.id == Review.cluster_id)
        .join(Critique, Critique.explanation_id == Cluster.explanation_id)
        .where(Critique.run_id == critique_id)
        .order_by(Review.created_at, Review.id)
    )
    answers: dict[UUID, dict[UUID, Answer]] = defaultdict(dict)
    for review in session.scalars(statement):
        answers[review.cluster_id][review.user_id] = review.answer
    return answers


def settle(judged: VerdictValue, answers: dict[UUID, Answer]) -> tuple[VerdictValue, bool]:
    """People overrule the judge; where they differ among themselves, nobody knows."""
    given = {WORDS[answer] for answer in answers.values() if answer is not Answer.WITHDRAWN}
    if not given:
        return judged, False
    return (given.pop() if len(given) == 1 else VerdictValue.UNCERTAIN), True


def standings(session: Session, critique_id: UUID) -> list[Standing]:
    """One for each cluster with a verdict, in the order of the alignment set."""
    answers = newest_answers(session, critique_id)
    statement = (
        select(Verdict.value, Cluster.id, Cluster.explanation_id, Cluster.number, Cluster.share)
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Cluster, Cluster.id == Verdict.cluster_id)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .where(Critique.run_id == critique_id)
        .order_by(Explanation.position, Cluster.number)
    )
    found = []
    for judged, cluster_id, explanation_id, number, share in session.execute(statement):
        value, reviewed = settle(judged, answers.get(cluster_id, {}))
        found.append(Standing(cluster_id, explanation_id, number, share, value, reviewed))
    return found
