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
    Review,
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
from app.review.answers import is_answered, newest_review


@dataclass(frozen=True)
class Line:
    """A cluster of the shown picture with what may be said of it: nothing of the machine's in a blind reading."""

    cluster: Cluster | HoneypotCase
    mine: Answer | None
    verdict: Verdict | None
    agreed: AgreedVerdict | None = None
    note: str = ""  # of the reader's newest answer, taken back or not

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
class Said:
    """What the specification under which the critic read says of the picture's class."""

    version: int
    spurious: str
    relevant: str


@dataclass(frozen=True)
class Case:
    """One screen: a picture, the cluster asked about, and the lines of all its clusters."""

    explanation: Explanation
    line: Line  # of the cluster asked about
    lines: Sequence[Line]
    regions: int
    said: Said | None
    read_before: bool = False  # by somebody else; never told in a blind reading

    @property
    def asked(self) -> Cluster | HoneypotCase:
        return self.line.cluster


def load_case(session: Session, critique: Run, reader: User, cluster_id: UUID, *, blind: bool) -> Case | None:
    """In a blind reading the verdicts are not even read from the database."""
    shown = select(Cluster.explanation_id).where(Cluster.id == cluster_id).scalar_subquery()
    is_open = false() if blind else true()
    specification_id = UUID(critique.parameters["specification_id"])
    of_class = and_(
        SpecificationEntry.specification_id == specification_id, SpecificationEntry.class_id == Image.class_id
    )
    in_critique = and_(Critique.explanation_id == Cluster.explanation_id, Critique.run_id == critique.id)
    rows = session.execute(
        select(Cluster, Review, Verdict, AgreedVerdict, and_(is_answered(Cluster.id), is_open))
        .add_columns(Specification.version, SpecificationEntry.spurious, SpecificationEntry.relevant)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .outerjoin(Review, Review.id == newest_review(Cluster.id, reader))
        .outerjoin(Critique, in_critique)
        .outerjoin(Verdict, and_(Verdict.critique_id == Critique.id, Verdict.cluster_id == Cluster.id, is_open))
        .outerjoin(AgreedVerdict, and_(agreed_on(critique, Cluster.id), is_open))
        .outerjoin(SpecificationEntry, of_class)
        .outerjoin(Specification, Specification.id == SpecificationEntry.specification_id)
        .where(Cluster.explanation_id == shown)
        .order_by(Cluster.number)
        .options(contains_eager(Cluster.explanation).contains_eager(Explanation.image))
    ).all()
    lines = [line_of(*row[:4]) for row in rows]
    place = next((place for place, line in enumerate(lines) if line.cluster.id == cluster_id), None)
    if place is None:
        return load_planted(session, critique, reader, cluster_id) if blind else None
    line, (answered, version, spurious, relevant) = lines[place], rows[place][4:]
    said = Said(version, spurious, relevant) if version else None
    return Case(rows[place][0].explanation, line, lines, len(lines), said, bool(answered) and line.mine is None)


def line_of(cluster: Cluster, review: Review | None, verdict: Verdict | None, agreed: AgreedVerdict | None) -> Line:
    stands = review is not None and review.answer is not Answer.WITHDRAWN
    return Line(cluster, review.answer if review and stands else None, verdict, agreed, review.note if review else "")


def load_planted(session: Session, critique: Run, reader: User, case_id: UUID) -> Case | None:
    planted = honeypots.case_of(session, critique, case_id)
    if planted is None:
        return None
    given = honeypots.newest_answer(session, reader, case_id)
    line = Line(planted, None, None, note=given.note if given else "")
    said = said_of(session, critique, planted.explanation.image.class_id)
    return Case(planted.explanation, line, [line], planted.regions, said)


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
