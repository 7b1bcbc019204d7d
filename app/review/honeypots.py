"""Honeypots among the cases that a reader answers blind: planted cases, whose truth is known.

They are asked about like clusters and kept in tables of their own, so that no query on clusters or reviews meets them.
"""

from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, joinedload

from app.models import Answer, Explanation, HoneypotAnswer, HoneypotCase, Review, Run, User
from app.review.answers import is_judged


def planted_for(critique: Run, reader: User) -> Select[UUID, bool]:
    """The planted cases that this reader is asked about, and whether they are answered.

    What was planted after a reader had begun is none of theirs: it would stand out among what they know.
    """
    begun = (
        select(func.min(Review.created_at))
        .where(Review.user_id == reader.id, is_judged(critique, Review.cluster_id))
        .scalar_subquery()
    )
    newest = (
        select(HoneypotAnswer.answer)
        .where(HoneypotAnswer.case_id == HoneypotCase.id, HoneypotAnswer.user_id == reader.id)
        .order_by(HoneypotAnswer.created_at.desc(), HoneypotAnswer.id)
        .limit(1)
        .scalar_subquery()
    )
    return select(HoneypotCase.id, func.coalesce(newest, Answer.WITHDRAWN) != Answer.WITHDRAWN).where(
        HoneypotCase.critique_id == critique.id, or_(begun.is_(None), HoneypotCase.created_at <= begun)
    )


def case_of(session: Session, critique: Run, case_id: UUID) -> HoneypotCase | None:
    """With its picture's row."""
    mine = (HoneypotCase.id == case_id, HoneypotCase.critique_id == critique.id)
    whole = joinedload(HoneypotCase.explanation).joinedload(Explanation.image)
    return session.scalar(select(HoneypotCase).where(*mine).options(whole))


def newest_answer(session: Session, reader: User, case_id: UUID) -> HoneypotAnswer | None:
    """Withdrawn or not."""
    mine = (HoneypotAnswer.case_id == case_id, HoneypotAnswer.user_id == reader.id)
    newest = select(HoneypotAnswer).where(*mine).order_by(HoneypotAnswer.created_at.desc(), HoneypotAnswer.id)
    return session.scalar(newest.limit(1))


def last_answer(session: Session, critique: Run, reader: User) -> HoneypotAnswer | None:
    """The reader's newest one that stands."""
    mine = (HoneypotAnswer.run_id == critique.id, HoneypotAnswer.user_id == reader.id)
    rows = session.scalars(select(HoneypotAnswer).where(*mine).order_by(HoneypotAnswer.created_at, HoneypotAnswer.id))
    newest = {row.case_id: row for row in rows}
    standing = [row for row in newest.values() if row.answer is not Answer.WITHDRAWN]
    return max(standing, key=lambda row: row.created_at, default=None)
