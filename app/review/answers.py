"""People's answers on the clusters of a critique: which of them stand.

A reader's newest answer stands unless it was taken back; an answer outlasts the critique it was given under. The word
of an adjudicator, who has seen the readers' answers, is none of them.
"""

from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    ScalarSelect,
    Subquery,
    and_,
    distinct,
    exists,
    func,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import SQLCoreOperations

from app.models import Answer, Critique, Review, Run, User, Verdict, VerdictValue

SEVERAL = 2


def is_judged(critique: Run, cluster_id: SQLCoreOperations[UUID]) -> ColumnElement[bool]:
    """Whether the critique asks about the cluster; told of few, this is quicker than the list of all."""
    return exists().where(
        Verdict.cluster_id == cluster_id, Verdict.critique_id == Critique.id, Critique.run_id == critique.id
    )


def judged_value(critique: Run, cluster_id: SQLCoreOperations[UUID]) -> ScalarSelect[VerdictValue]:
    """The judge's word on a cluster."""
    return (
        select(Verdict.value)
        .join(Critique, Critique.id == Verdict.critique_id)
        .where(Critique.run_id == critique.id, Verdict.cluster_id == cluster_id)
        .scalar_subquery()
    )


def standing_on(critique: Run) -> CTE:
    """The answers that stand on a critique's clusters."""
    return standing_answers(is_judged(critique, Review.cluster_id))


def standing_answers(*which: ColumnElement[bool]) -> CTE:
    """One row for each reader and cluster; ``which``: of these reviews alone."""
    return standing_words(Review.settles.is_(False), *which)


def standing_words(*which: ColumnElement[bool]) -> CTE:
    """The readers' answers that stand, and the adjudicators'; ``which``: of these reviews alone."""
    later = aliased(Review)
    overtaken = exists().where(
        later.cluster_id == Review.cluster_id,
        later.user_id == Review.user_id,
        later.settles == Review.settles,
        later.created_at > Review.created_at,
    )
    columns = (Review.id, Review.cluster_id, Review.user_id, Review.answer, Review.blind, Review.settles)
    stands = and_(Review.answer != Answer.WITHDRAWN, ~overtaken, *which)
    return select(*columns).add_columns(Review.created_at).where(stands).cte("standing")


def is_answered(
    cluster_id: SQLCoreOperations[UUID],
    *,
    by: SQLCoreOperations[UUID] | UUID | None = None,
    settled: bool = False,
) -> ColumnElement[bool]:
    """Whether somebody's answer on the cluster stands, or this reader's; or an adjudicator's, where that is asked."""
    given, later = aliased(Review), aliased(Review)
    overtaken = exists().where(
        later.cluster_id == given.cluster_id,
        later.user_id == given.user_id,
        later.settles.is_(settled),
        later.created_at > given.created_at,
    )
    reader = true() if by is None else given.user_id == by
    stands = and_(given.answer != Answer.WITHDRAWN, ~overtaken)
    return exists().where(given.cluster_id == cluster_id, given.settles.is_(settled), reader, stands)


def answers_by_cluster(reader: User, *which: ColumnElement[bool]) -> Subquery:
    """The clusters that anybody answered: by how many, whether by this reader, and whether they differ.

    ``which``: of these reviews alone; whoever joins the rows with a critique's clusters needs none.
    """
    standing = standing_answers(*which)

    def how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count().filter(condition)

    blind = standing.c.blind.is_(True)
    return (
        select(
            standing.c.cluster_id,
            func.count().label("readers"),
            how_many(standing.c.user_id == reader.id).label("mine"),
            func.count(distinct(standing.c.answer)).label("answers"),
            how_many(and_(blind, standing.c.answer == Answer.SPURIOUS)).label("blind_spurious"),
            how_many(and_(blind, standing.c.answer == Answer.RELEVANT)).label("blind_relevant"),
        )
        .group_by(standing.c.cluster_id)
        .subquery()
    )


def readers_differ(answers: Subquery) -> ColumnElement[bool]:
    """On rows of ``answers_by_cluster``: they said different things, and nobody has settled it."""
    return and_(answers.c.answers >= SEVERAL, ~is_answered(answers.c.cluster_id, settled=True))


def newest_review(cluster_id: SQLCoreOperations[UUID] | UUID, reader: User) -> ScalarSelect[UUID]:
    """The reader's newest row on a cluster, withdrawn or not."""
    mine = aliased(Review)
    return (
        select(mine.id)
        .where(mine.cluster_id == cluster_id, mine.user_id == reader.id, mine.settles.is_(False))
        .order_by(mine.created_at.desc(), mine.id)
        .limit(1)
        .scalar_subquery()
    )


def asked_and_newest(session: Session, critique: Run, reader: User, cluster_id: UUID) -> tuple[bool, Review | None]:
    """Whether the critique asks about the cluster, and the reader's newest row on it, withdrawn or not."""
    row = session.execute(
        select(Verdict.id, Review)
        .join(Critique, Critique.id == Verdict.critique_id)
        .outerjoin(Review, Review.id == newest_review(cluster_id, reader))
        .where(Critique.run_id == critique.id, Verdict.cluster_id == cluster_id)
    ).one_or_none()
    return row is not None, row[1] if row else None


def last_answer(session: Session, critique: Run, reader: User, *, blind: bool) -> Review | None:
    """The reader's newest answer that stands; blind answers only while the blind reading lasts."""
    standing = standing_answers(is_judged(critique, Review.cluster_id), Review.user_id == reader.id)
    newest = (
        select(standing.c.id)
        .where(true() if blind else standing.c.blind.is_(False))
        .order_by(standing.c.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    return session.scalar(select(Review).where(Review.id == newest))
