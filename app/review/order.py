"""The order in which clusters are read: that of the newest consensus, and until there is one, that of the judge alone.

Both write down the place of every cluster, so that the next case is found at once among however many.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, select, true
from sqlalchemy.sql.elements import SQLCoreOperations

from app.models import AgreedVerdict, Critique, Explanation, Image, Run, Source, Verdict, VerdictValue
from app.review.answers import judged_value

MOST = 2.0  # doubt times influence: a doubt of 1, all the evidence, and an answer that changes altogether


def place_of(value: VerdictValue, p_spurious: float, influence: float) -> float:
    """The least is read first: what stands as uncertain, in the order of doubt times influence; then all else so.

    influence: share of the evidence plus what covering it changes, in [0, 2].
    """
    doubt = 1 - 2 * abs(p_spurious - 0.5)
    return (0.0 if value is VerdictValue.UNCERTAIN else MOST) - doubt * influence


def need(
    first: int | None, value: VerdictValue, p_spurious: float, influence: float, cluster_id: UUID
) -> tuple[float, float, UUID]:
    """Sorts clusters by how much they need a reader, whom they need most first.

    first: place among those whose review would change most; after these places come those of ``place_of``.
    value: what stands where nobody answers.
    """
    return (float("inf") if first is None else first), place_of(value, p_spurious, influence), cluster_id


@dataclass(frozen=True)
class Narrowed:
    """To one class, to one kind of region of the newest consensus, or to neither."""

    class_id: UUID | None = None
    kind: int | None = None


ALL = Narrowed()


def cases_of(critique: Run, consensus: UUID | None, narrowed: Narrowed = ALL) -> Select[UUID, bool, float]:
    """The critique's clusters: id, whether ``unsure`` is what stands where nobody answers, and their ``place``."""
    return judged_cases(critique, narrowed) if consensus is None else agreed_cases(critique, consensus, narrowed)


def agreed_cases(critique: Run, consensus: UUID, narrowed: Narrowed) -> Select[UUID, bool, float]:
    # A row that went by an answer says nothing any more where that was taken back since.
    judged = judged_value(critique, AgreedVerdict.cluster_id)
    stands = case((AgreedVerdict.source == Source.REVIEW, judged), else_=AgreedVerdict.value)
    unsure = (stands == VerdictValue.UNCERTAIN).label("unsure")
    return select(AgreedVerdict.cluster_id, unsure, AgreedVerdict.place).where(
        AgreedVerdict.run_id == consensus,
        AgreedVerdict.class_id == narrowed.class_id if narrowed.class_id else true(),
        AgreedVerdict.kind == narrowed.kind if narrowed.kind is not None else true(),
    )


def judged_cases(critique: Run, narrowed: Narrowed) -> Select[UUID, bool, float]:
    picture = select(Critique.explanation_id).where(Critique.id == Verdict.critique_id).correlate(Verdict)
    unsure = (Verdict.value == VerdictValue.UNCERTAIN).label("unsure")
    return select(Verdict.cluster_id, unsure, Verdict.place).where(
        Verdict.run_id == critique.id,
        is_of_class(picture.scalar_subquery(), narrowed.class_id) if narrowed.class_id else true(),
        true() if narrowed.kind is None else false(),  # only a consensus knows kinds
    )


def is_of_class(explanation_id: SQLCoreOperations[UUID], class_id: UUID) -> ColumnElement[bool]:
    mine = and_(Explanation.id == explanation_id, Explanation.image_id == Image.id)
    return exists().where(mine, Image.class_id == class_id)
