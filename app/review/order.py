"""The order in which clusters are read: that of the newest consensus, and until there is one, that of the judge alone.

A consensus writes down the place of every cluster, so that the next case is found at once among however many.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, select, true
from sqlalchemy.sql.elements import SQLCoreOperations

from app.models import AgreedVerdict, Cluster, Critique, Explanation, Image, Run, Source, Verdict, VerdictValue
from app.review.answers import judged_value


def need(
    first: int | None, value: VerdictValue, p_spurious: float, influence: float, cluster_id: UUID
) -> tuple[float, bool, float, UUID]:
    """Sorts clusters by how much they need a reader, whom they need most first.

    first: place among those whose review would change most; value: what stands where nobody answers.
    influence: share of the evidence plus what covering it changes. After the places comes what stands as uncertain,
    then doubt times influence.
    """
    doubt = 1 - 2 * abs(p_spurious - 0.5)
    return (
        (float("inf") if first is None else first),
        value is not VerdictValue.UNCERTAIN,
        -doubt * influence,
        cluster_id,
    )


@dataclass(frozen=True)
class Narrowed:
    """To one class, to one kind of region of the newest consensus, or to neither."""

    class_id: UUID | None = None
    kind: int | None = None


ALL = Narrowed()


def cases_of(critique: Run, consensus: UUID | None, narrowed: Narrowed = ALL) -> Select[UUID, bool, int]:
    """The critique's clusters: id, whether ``unsure`` is what stands where nobody answers, and their ``place``."""
    return judged_cases(critique, narrowed) if consensus is None else agreed_cases(critique, consensus, narrowed)


def agreed_cases(critique: Run, consensus: UUID, narrowed: Narrowed) -> Select[UUID, bool, int]:
    # A row that went by an answer says nothing any more where that was taken back since.
    judged = judged_value(critique, AgreedVerdict.cluster_id)
    stands = case((AgreedVerdict.source == Source.REVIEW, judged), else_=AgreedVerdict.value)
    unsure = (stands == VerdictValue.UNCERTAIN).label("unsure")
    return select(AgreedVerdict.cluster_id, unsure, AgreedVerdict.place).where(
        AgreedVerdict.run_id == consensus,
        AgreedVerdict.class_id == narrowed.class_id if narrowed.class_id else true(),
        AgreedVerdict.kind == narrowed.kind if narrowed.kind is not None else true(),
    )


def judged_cases(critique: Run, narrowed: Narrowed) -> Select[UUID, bool, int]:
    """All of them are sorted for every case, which is slow: the first consensus follows a critique within minutes."""
    unsure = Verdict.value == VerdictValue.UNCERTAIN
    doubt = 1 - 2 * func.abs(Verdict.p_spurious - 0.5)
    influence = Cluster.share + func.abs(Cluster.effect)
    order = (case((unsure, 0), else_=1), (doubt * influence).desc(), Verdict.cluster_id)
    return (
        select(Verdict.cluster_id, unsure.label("unsure"), func.row_number().over(order_by=order).label("place"))
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Cluster, Cluster.id == Verdict.cluster_id)
        .where(
            Critique.run_id == critique.id,
            is_of_class(Critique.explanation_id, narrowed.class_id) if narrowed.class_id else true(),
            true() if narrowed.kind is None else false(),  # only a consensus knows kinds
        )
    )


def is_of_class(explanation_id: SQLCoreOperations[UUID], class_id: UUID) -> ColumnElement[bool]:
    mine = and_(Explanation.id == explanation_id, Explanation.image_id == Image.id)
    return exists().where(mine, Image.class_id == class_id)
