"""What stands for each cluster, as rows that the database counts itself: what ``standing`` says one by one.

A page that only counts, or lists a few, would wait long for all of them. What stands where nobody answers never changes
once it is written, however many clusters that are; people speak of few pictures, and only there anything changes.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Select, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from app.models import AgreedVerdict, Answer, Critique, Review, Run, Source, Verdict, VerdictValue
from app.review.answers import judged_value, standing_words
from app.review.standing import WORDS

Silent = Select[UUID, UUID, VerdictValue, Source]
Spoken = Select[UUID, VerdictValue, Source, VerdictValue, Source]
JUDGE, REVIEW = (literal(source, AgreedVerdict.source.type) for source in (Source.JUDGE, Source.REVIEW))


def silent_rows(critique: Run, consensus: UUID | None) -> Silent:
    """``explanation_id``, ``cluster_id``, ``value`` and ``source``: of every cluster, as if nobody had answered.

    consensus: the newest one done.
    """
    if consensus is None:
        return (
            select(Critique.explanation_id, Verdict.cluster_id, Verdict.value, JUDGE.label("source"))
            .join(Verdict, Verdict.critique_id == Critique.id)
            .where(Critique.run_id == critique.id)
        )
    by_review = AgreedVerdict.source == Source.REVIEW
    own = case((by_review, judged_value(critique, AgreedVerdict.cluster_id)), else_=AgreedVerdict.value)
    source = case((by_review, JUDGE), else_=AgreedVerdict.source)
    return select(
        AgreedVerdict.explanation_id, AgreedVerdict.cluster_id, own.label("value"), source.label("source")
    ).where(AgreedVerdict.run_id == consensus)


def spoken_rows(critique: Run, consensus: UUID | None, closed: Collection[UUID] = frozenset()) -> Spoken:
    """``explanation_id``, ``value``, ``source``, and ``silent_value`` and ``silent_source`` of ``silent_rows``.

    Of every cluster of the pictures that people spoke of. closed: clusters of which people's word is not to be told, as
    in ``standings``.
    """
    words = settled_words(closed)
    pictures = select(picture_of(critique, consensus, words).correlate(words).scalar_subquery()).select_from(words)
    silent = silent_rows(critique, consensus)
    of_picture = AgreedVerdict.explanation_id if consensus else Critique.explanation_id
    clusters = silent.where(of_picture.in_(pictures)).subquery()
    each = clusters.c
    told = [(words.c.answer == answer, kept(value, Verdict.value)) for answer, value in WORDS.items()]
    return (
        select(
            each.explanation_id,
            case(*told, else_=each.value).label("value"),
            case((words.c.answer.is_not(None), REVIEW), else_=each.source).label("source"),
            each.value.label("silent_value"),
            each.source.label("silent_source"),
        )
        .select_from(clusters)
        .outerjoin(words, words.c.cluster_id == each.cluster_id)
    )


def picture_of(critique: Run, consensus: UUID | None, words: CTE) -> Select[UUID]:
    """Of a word's cluster; looked up for each word, as they are few, whatever the database would make of a join."""
    if consensus is None:
        mine = select(Critique.explanation_id).join(Verdict, Verdict.critique_id == Critique.id)
        return mine.where(Critique.run_id == critique.id, Verdict.cluster_id == words.c.cluster_id)
    return select(AgreedVerdict.explanation_id).where(
        AgreedVerdict.run_id == consensus, AgreedVerdict.cluster_id == words.c.cluster_id
    )


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
