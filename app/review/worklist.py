"""Which case a reader sees next.

A case is one cluster in its picture. A reader first answers the blind sample; then come all other clusters that nobody
has answered: first those whose review would change most by the newest consensus, then the least certain and most
influential.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.models import AgreedVerdict, Cluster, Critique, Explanation, Image, Run, User, Verdict, VerdictValue
from app.review.agreed import agreed_on, unreviewed_value
from app.review.answers import standing_answers
from app.review.blind import read_blind
from app.review.counts import Counts, count_cases
from app.review.narrowed import ALL, Narrowed


@dataclass(frozen=True)
class Worklist:
    """Where a reader stands in a critique; ``next_id`` is the cluster to show, None when all are answered."""

    blind: bool
    sample: int  # cases to read blind
    sample_answered: int  # of them, by this reader
    planted: bool  # whether any of them is
    counts: Counts
    next_id: UUID | None  # a cluster's, or in a blind reading that of a planted case


def worklist(session: Session, critique: Run, reader: User, narrowed: Narrowed = ALL) -> Worklist:
    counts = count_cases(session, critique, narrowed)
    sample = read_blind(session, critique, reader)
    open_cases = [each.id for each in sample if not each.answered]
    next_id = open_cases[0] if open_cases else next_case(session, critique, narrowed)
    planted = any(each.planted for each in sample)
    return Worklist(bool(open_cases), len(sample), len(sample) - len(open_cases), planted, counts, next_id)


def next_case(session: Session, critique: Run, narrowed: Narrowed = ALL) -> UUID | None:
    """In the order of the newest consensus; after that what stands as uncertain, then by doubt times influence.

    Influence is evidence plus effect.
    """
    standing = standing_answers(critique)
    doubt = 1 - 2 * func.abs(Verdict.p_spurious - 0.5)
    influence = Cluster.share + func.abs(Cluster.effect)
    return session.scalar(
        select(Verdict.cluster_id)
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Cluster, Cluster.id == Verdict.cluster_id)
        .join(Explanation, Explanation.id == Critique.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .outerjoin(AgreedVerdict, agreed_on(critique, Verdict.cluster_id))
        .where(
            Critique.run_id == critique.id,
            Verdict.cluster_id.not_in(select(standing.c.cluster_id)),
            narrowed.condition,
        )
        .order_by(
            case((AgreedVerdict.place.is_(None), 1), else_=0),
            AgreedVerdict.place,
            case((unreviewed_value() == VerdictValue.UNCERTAIN, 0), else_=1),
            (doubt * influence).desc(),
            Verdict.cluster_id,
        )
        .limit(1)
    )
