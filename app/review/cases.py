"""One screen: a picture, the cluster asked about, and what may be said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, false, select, true
from sqlalchemy.orm import Session, contains_eager

from app.models import (
    AgreedVerdict,
    Answer,
    Cluster,
    Critique,
    Explanation,
    HoneypotCase,
    Image,
    Run,
    Source,
    Specification,
    SpecificationEntry,
    User,
    Verdict,
    VerdictValue,
)
from app.review import honeypots
from app.review.agreed import agreed_on
from app.review.answers import standing_answers


@dataclass(frozen=True)
class Line:
    """A cluster of the shown picture with what may be said of it: nothing of the machine's in a blind reading."""

    cluster: Cluster | HoneypotCase
    mine: Answer | None
    verdict: Verdict | None
    agreed: AgreedVerdict | None = None

    @property
    def goes_by_others(self) -> bool:
        """Whether similar regions say something else than the judge, which was wrong or not sure."""
        return (
            self.agreed is not None
            and self.verdict is not None
            and self.agreed.source is Source.PROBE
            and self.agreed.value is not VerdictValue.UNCERTAIN
            and self.agreed.value is not self.verdict.value
        )


@dataclass(frozen=True)
class Case:
    """One screen: a picture, the cluster asked about, and the lines of all its clusters."""

    explanation: Explanation
    line: Line  # of the cluster asked about
    lines: Sequence[Line]
    regions: int

    @property
    def asked(self) -> Cluster | HoneypotCase:
        return self.line.cluster


@dataclass(frozen=True)
class Said:
    """What the specification under which the critic read says of the picture's class."""

    version: int
    spurious: str
    relevant: str


def load_case(session: Session, critique: Run, reader: User, cluster_id: UUID, *, blind: bool) -> Case | None:
    """In a blind reading the verdicts are not even read from the database."""
    standing = standing_answers(critique)
    mine = and_(standing.c.cluster_id == Cluster.id, standing.c.user_id == reader.id)
    shown = select(Cluster.explanation_id).where(Cluster.id == cluster_id).scalar_subquery()
    is_open = false() if blind else true()
    in_critique = and_(
        Verdict.cluster_id == Cluster.id,
        Verdict.critique_id.in_(select(Critique.id).where(Critique.run_id == critique.id)),
        is_open,
    )
    rows = session.execute(
        select(Cluster, standing.c.answer, Verdict, AgreedVerdict)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .outerjoin(standing, mine)
        .outerjoin(Verdict, in_critique)
        .outerjoin(AgreedVerdict, and_(agreed_on(critique, Cluster.id), is_open))
        .where(Cluster.explanation_id == shown)
        .order_by(Cluster.number)
        .options(contains_eager(Cluster.explanation).contains_eager(Explanation.image))
    ).all()
    lines = [Line(*row) for row in rows]
    asked = next((line for line in lines if line.cluster.id == cluster_id), None)
    if asked is not None:
        return Case(asked.cluster.explanation, asked, lines, len(lines))
    return load_planted(session, critique, cluster_id) if blind else None


def load_planted(session: Session, critique: Run, case_id: UUID) -> Case | None:
    planted = honeypots.case_of(session, critique, case_id)
    line = Line(planted, None, None) if planted else None
    return Case(planted.explanation, line, [line], planted.regions) if planted and line else None


def said_of(session: Session, critique: Run, class_id: UUID) -> Said | None:
    row = session.execute(
        select(Specification.version, SpecificationEntry.spurious, SpecificationEntry.relevant)
        .join(SpecificationEntry, SpecificationEntry.specification_id == Specification.id)
        .where(
            Specification.id == UUID(critique.parameters["specification_id"]),
            SpecificationEntry.class_id == class_id,
        )
    ).one_or_none()
    return Said(*row) if row else None
