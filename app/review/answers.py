"""People's answers on the clusters of a critique: which of them stand."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CTE, func, select, true
from sqlalchemy.orm import Session

from app.models import Answer, Critique, Review, Run, User, Verdict
from app.projects.queries import clusters_judged


def standing_answers(critique: Run) -> CTE:
    """The newest answer of every reader on every cluster, where it was not taken back; from earlier critiques too."""
    newest = func.row_number().over(
        partition_by=(Review.cluster_id, Review.user_id), order_by=(Review.created_at.desc(), Review.id)
    )
    ranked = select(Review, newest.label("place")).where(Review.cluster_id.in_(clusters_judged(critique))).subquery()
    return (
        select(ranked.c.cluster_id, ranked.c.user_id, ranked.c.answer, ranked.c.blind, ranked.c.created_at)
        .where(ranked.c.place == 1, ranked.c.answer != Answer.WITHDRAWN)
        .cte("standing")
    )


def asked_and_newest(session: Session, critique: Run, reader: User, cluster_id: UUID) -> tuple[bool, Review | None]:
    """Whether the critique asks about the cluster, and the reader's newest row on it, withdrawn or not."""
    newest = (
        select(Review.id)
        .where(Review.cluster_id == cluster_id, Review.user_id == reader.id)
        .order_by(Review.created_at.desc(), Review.id)
        .limit(1)
        .scalar_subquery()
    )
    row = session.execute(
        select(Verdict.id, Review)
        .join(Critique, Critique.id == Verdict.critique_id)
        .outerjoin(Review, Review.id == newest)
        .where(Critique.run_id == critique.id, Verdict.cluster_id == cluster_id)
    ).one_or_none()
    return row is not None, row[1] if row else None


def last_answer(session: Session, critique: Run, reader: User, *, blind: bool) -> tuple[UUID, datetime] | None:
    """The cluster of the reader's newest answer that stands, and when it was given; blind answers only while the blind
    reading lasts.
    """
    standing = standing_answers(critique)
    row = session.execute(
        select(standing.c.cluster_id, standing.c.created_at)
        .where(standing.c.user_id == reader.id, true() if blind else standing.c.blind.is_(False))
        .order_by(standing.c.created_at.desc())
        .limit(1)
    ).one_or_none()
    return (row[0], row[1]) if row else None
