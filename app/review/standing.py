"""What stands for each cluster: people's word where there is one, else the consensus's, else the judge's."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, select, true
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
class Said:
    """What people said of one cluster: each reader's newest answer, and each adjudicator's, the newest last.

    An answer that was taken back is there as withdrawn.
    """

    answers: dict[UUID, Answer] = field(default_factory=dict)
    settlements: dict[UUID, Answer] = field(default_factory=dict)

    @property
    def settled(self) -> Answer | None:
        """What an adjudicator has decided, the newest one."""
        standing = [answer for answer in self.settlements.values() if answer is not Answer.WITHDRAWN]
        return standing[-1] if standing else None


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


def is_among(pictures: Collection[UUID] | None) -> ColumnElement[bool]:
    return true() if pictures is None else Critique.explanation_id.in_(pictures)


def newest_answers(session: Session, critique_id: UUID, pictures: Collection[UUID] | None = None) -> dict[UUID, Said]:
    """By cluster. A person's word on a cluster outlasts the critique in which it was given."""
    reviews = (
        select(Review)
        .join(Cluster, Cluster.id == Review.cluster_id)
        .join(Critique, Critique.explanation_id == Cluster.explanation_id)
        .where(Critique.run_id == critique_id, is_among(pictures))
        .order_by(Review.created_at, Review.id)
    )
    return by_cluster(session.scalars(reviews))


def by_cluster(reviews: Iterable[Review]) -> dict[UUID, Said]:
    """reviews: the oldest first."""
    found: dict[UUID, Said] = defaultdict(Said)
    for review in reviews:
        said = found[review.cluster_id]
        words = said.settlements if review.settles else said.answers
        words.pop(review.user_id, None)  # so that the newest is the last
        words[review.user_id] = review.answer
    return found


def settle(said: Said) -> VerdictValue | None:
    """What counts of all that people said of a cluster; everything that goes by their word asks here.

    An adjudicator's word, the newest one; else what all readers agree on. Where they differ nobody knows yet, so that
    it stays out of the training: neither the newest of them nor most of them need be right. None without any answer.
    """
    if said.settled is not None:
        return WORDS[said.settled]
    given = {WORDS[answer] for answer in said.answers.values() if answer is not Answer.WITHDRAWN}
    if not given:
        return None
    return given.pop() if len(given) == 1 else VerdictValue.UNCERTAIN


def stands(
    judged: tuple[VerdictValue, float],
    agreed: tuple[VerdictValue, float, Source] | None,
    said: Said,
) -> tuple[VerdictValue, float, Source]:
    """The verdict, P(spurious) and whose word that is.

    A consensus that went by a review of this very cluster which was taken back since says nothing of it any more.
    """
    settled = settle(said)
    if settled is not None:
        return settled, CERTAINTY[settled], Source.REVIEW
    if agreed is not None and agreed[2] is not Source.REVIEW:
        return agreed
    return (*judged, Source.JUDGE)


def standings(
    session: Session,
    critique_id: UUID,
    closed: frozenset[UUID] = frozenset(),
    *,
    pictures: Collection[UUID] | None = None,
) -> list[Standing]:
    """One for each cluster with a verdict, in the order of the alignment set.

    closed: clusters of which people's word is not to be told, so that it stands as if nobody had answered.
    pictures: the explanations whose clusters are meant, if not all of them.
    """
    answers = newest_answers(session, critique_id, pictures)
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
        .where(Critique.run_id == critique_id, is_among(pictures))
        .order_by(Explanation.position, Cluster.number)
    )
    found = []
    for cluster_id, explanation_id, number, share, judged, p_spurious, *agreed in session.execute(statement):
        known = (agreed[0], agreed[1], agreed[2]) if agreed[0] is not None else None
        said = Said() if cluster_id in closed else answers.get(cluster_id, Said())
        standing = stands((judged, p_spurious), known, said)
        found.append(Standing(cluster_id, explanation_id, number, share, *standing))
    return found
