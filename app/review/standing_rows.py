"""What stands for each cluster, as rows that the database counts itself: what ``standing`` says one by one.

A page that only counts, or lists a few, would wait long for all of them.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Select, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from app.models import AgreedVerdict, Answer, Critique, Review, Run, Source, Verdict, VerdictValue
from app.review.answers import judged_value, standing_words
from app.review.standing import WORDS

Rows = Select[UUID, VerdictValue, Source]
JUDGE, REVIEW = (literal(source, AgreedVerdict.source.type) for source in (Source.JUDGE, Source.REVIEW))


def standing_rows(critique: Run, consensus: UUID | None, closed: Collection[UUID] = frozenset()) -> tuple[Rows, Rows]:
    """``explanation_id``, ``value`` and ``source``: of the clusters that nobody spoke of, and of the others.

    They are apart since the first are many, and come picture by picture from their index as long as nothing is mixed
    in. consensus: the newest one done. closed: clusters that count among the first, as in ``standings``.
    """
    words = settled_words(closed)
    return judged_rows(critique, words) if consensus is None else agreed_rows(critique, consensus, words)


def agreed_rows(critique: Run, consensus: UUID, words: CTE) -> tuple[Rows, Rows]:
    by_review = AgreedVerdict.source == Source.REVIEW
    own = case((by_review, judged_value(critique, AgreedVerdict.cluster_id)), else_=AgreedVerdict.value)
    source = case((by_review, JUDGE), else_=AgreedVerdict.source)
    of_picture = AgreedVerdict.explanation_id.label("explanation_id")
    silent = select(of_picture, own.label("value"), source.label("source")).where(
        AgreedVerdict.run_id == consensus, AgreedVerdict.cluster_id.not_in(select(words.c.cluster_id))
    )
    picture = select(AgreedVerdict.explanation_id).where(
        AgreedVerdict.run_id == consensus, AgreedVerdict.cluster_id == words.c.cluster_id
    )
    return silent, spoken_rows(words, picture)


def judged_rows(critique: Run, words: CTE) -> tuple[Rows, Rows]:
    of_picture = Critique.explanation_id.label("explanation_id")
    mine = select(of_picture).join(Verdict, Verdict.critique_id == Critique.id).where(Critique.run_id == critique.id)
    silent = mine.add_columns(Verdict.value.label("value"), JUDGE.label("source"))
    picture = mine.where(Verdict.cluster_id == words.c.cluster_id)
    return silent.where(Verdict.cluster_id.not_in(select(words.c.cluster_id))), spoken_rows(words, picture)


def spoken_rows(words: CTE, picture: Select[UUID]) -> Rows:
    """picture: of a word's cluster; looked up for each word, as they are few, whatever the database makes of a join."""
    told = [(words.c.answer == answer, kept(value, Verdict.value)) for answer, value in WORDS.items()]
    each = select(picture.scalar_subquery().label("explanation_id"), case(*told).label("value")).subquery().c
    return select(each.explanation_id, each.value, REVIEW.label("source")).where(each.explanation_id.is_not(None))


def settled_words(closed: Collection[UUID]) -> CTE:
    """What all that people said of a cluster comes to, as ``standing.settle`` has it: one row for each but the closed.

    Of any critique: whoever joins the rows with the clusters of one takes what belongs to it.
    """
    words = standing_words(*([Review.cluster_id.not_in(closed)] if closed else []))
    said, settlement = words.c, words.alias().c
    newest = (
        select(settlement.answer)
        .where(settlement.settles, settlement.cluster_id == said.cluster_id)
        .order_by(settlement.created_at.desc(), settlement.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    is_settled, alike = func.count().filter(said.settles) > 0, func.min(said.answer) == func.max(said.answer)
    answer = case((is_settled, newest), (alike, func.min(said.answer)), else_=kept(Answer.CANT_TELL, Review.answer))
    return select(said.cluster_id, answer.label("answer")).group_by(said.cluster_id).cte("words")


def kept(value: Any, column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:  # noqa: ANN401  of the column's type
    """A value as the column keeps it."""
    return literal(value, column.type)
