"""What stands for each cluster: people's word where there is one, else the consensus's, else the judge's."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, and_, select
from sqlalchemy.orm import Session

from app.models import (
    AgreedVerdict,
    Answer,
    Cluster,
    Critique,
    Explanation,
    Kind,
    Review,
    Run,
    Source,
    State,
    Verdict,
    VerdictValue,
)
from app.runs.queries import runs_on

WORDS = {
    Answer.SPURIOUS: VerdictValue.SPURIOUS,
    Answer.RELEVANT: VerdictValue.RELEVANT,
    Answer.CANT_TELL: VerdictValue.UNCERTAIN,
}
CERTAINTY = {VerdictValue.SPURIOUS: 1.0, VerdictValue.RELEVANT: 0.0, VerdictValue.UNCERTAIN: 0.5}


@dataclass(frozen=True)
class Standing:
    """The verdict that goes on to realignment; ``uncertain`` stays out of the loss."""

    cluster_id: UUID
    explanation_id: UUID
    number: int
    share: float
    value: VerdictValue
    p_spurious: float
    source: Source

    @property
    def reviewed(self) -> bool:
        return self.source is Source.REVIEW


def newest_consensus(critique_id: UUID) -> ScalarSelect[UUID]:
    """The newest one done on a critique."""
    done = runs_on(critique_id, Kind.CONSENSUS).where(Run.state == State.SUCCEEDED)
    return done.with_only_columns(Run.id).limit(1).scalar_subquery()


def newest_answers(session: Session, critique_id: UUID) -> dict[UUID, dict[UUID, Answer]]:
    """By cluster and reader. A person's word on a cluster outlasts the critique in which it was given."""
    return by_cluster(
        session,
        select(Review)
        .join(Cluster, Cluster.id == Review.cluster_id)
        .join(Critique, Critique.explanation_id == Cluster.explanation_id)
        .where(Critique.run_id == critique_id),
    )


def newest_answers_on(session: Session, cluster_ids: Sequence[UUID]) -> dict[UUID, dict[UUID, Answer]]:
    """By cluster and reader, of these clusters alone."""
    return by_cluster(session, select(Review).where(Review.cluster_id.in_(cluster_ids)))


def by_cluster(session: Session, reviews: Select[Review]) -> dict[UUID, dict[UUID, Answer]]:
    answers: dict[UUID, dict[UUID, Answer]] = defaultdict(dict)
    for review in session.scalars(reviews.order_by(Review.created_at, Review.id)):
        answers[review.cluster_id][review.user_id] = review.answer
    return answers


def settle(answers: dict[UUID, Answer]) -> VerdictValue | None:
    """What people's newest answers come to; where they differ among themselves, nobody knows. None without any."""
    given = {WORDS[answer] for answer in answers.values() if answer is not Answer.WITHDRAWN}
    if not given:
        return None
    return given.pop() if len(given) == 1 else VerdictValue.UNCERTAIN


def stands(
    judged: tuple[VerdictValue, float],
    agreed: tuple[VerdictValue, float, Source] | None,
    answers: dict[UUID, Answer],
) -> tuple[VerdictValue, float, Source]:
    """The verdict, P(spurious) and whose word that is.

    A consensus that went by a review of this very cluster which was taken back since says nothing of it any more.
    """
    said = settle(answers)
    if said is not None:
        return said, CERTAINTY[said], Source.REVIEW
    if agreed is not None and agreed[2] is not Source.REVIEW:
        return agreed
    return (*judged, Source.JUDGE)


def standings(session: Session, critique_id: UUID) -> list[Standing]:
    """One for each cluster with a verdict, in the order of the alignment set."""
    answers = newest_answers(session, critique_id)
    of_newest = and_(AgreedVerdict.cluster_id == Cluster.id, AgreedVerdict.run_id == newest_consensus(critique_id))
    agreed_columns = (AgreedVerdict.value, AgreedVerdict.p_spurious, AgreedVerdict.source)
    statement = (
        select(Cluster.id, Cluster.explanation_id, Cluster.number, Cluster.share)
        .add_columns(Verdict.value, Verdict.p_spurious, *agreed_columns)
        .select_from(Verdict)
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Cluster, Cluster.id == Verdict.cluster_id)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .outerjoin(AgreedVerdict, of_newest)
        .where(Critique.run_id == critique_id)
        .order_by(Explanation.position, Cluster.number)
    )
    found = []
    for cluster_id, explanation_id, number, share, judged, p_spurious, *agreed in session.execute(statement):
        known = (agreed[0], agreed[1], agreed[2]) if agreed[0] is not None else None
        standing = stands((judged, p_spurious), known, answers.get(cluster_id, {}))
        found.append(Standing(cluster_id, explanation_id, number, share, *standing))
    return found
