"""Which case a reader sees next, and what may be shown with it.

A case is one cluster in its picture. A reader first answers a blind sample, the same for every reader, before any
verdict leaves the server, with a few planted cases among it where there are some; then come all other clusters that
nobody has answered: first those whose review would change most by the newest consensus, then the least certain and most
influential.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Select, Subquery, and_, case, false, func, select, true, union_all
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
    Role,
    Run,
    Source,
    Specification,
    SpecificationEntry,
    User,
    Verdict,
    VerdictValue,
)
from app.models.figures import Estimate
from app.projects.queries import REVIEW_SAMPLE
from app.review import honeypots
from app.review.agreed import agreed_on, unreviewed_value
from app.statistics import wilson


@dataclass(frozen=True)
class Narrowed:
    """To one class, to one kind of region of the newest consensus, or to neither."""

    class_id: UUID | None = None
    kind: int | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """On images and agreed verdicts."""
        return and_(
            Image.class_id == self.class_id if self.class_id else true(),
            AgreedVerdict.kind == self.kind if self.kind is not None else true(),
        )


ALL = Narrowed()


@dataclass(frozen=True)
class Counts:
    """Clusters of a critique, narrowed where that is asked for."""

    total: int
    answered: int  # by anyone
    uncertain_left: int  # that stand as uncertain and nobody answered
    agreement: Estimate  # of the judge with blind readers, where both said spurious or relevant

    @property
    def left(self) -> int:
        return self.total - self.answered


@dataclass(frozen=True, order=True)
class ReadBlind:
    """A case of the blind reading: a cluster's id, or that of a planted case."""

    id: UUID
    answered: bool
    planted: bool


@dataclass(frozen=True)
class Worklist:
    """Where a reader stands in a critique; ``next_id`` is the cluster to show, None when all are answered."""

    blind: bool
    sample: int  # cases to read blind
    sample_answered: int  # of them, by this reader
    planted: bool  # whether any of them is
    counts: Counts
    next_id: UUID | None  # a cluster's, or in a blind reading that of a planted case


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


def clusters_of(critique: Run) -> Select[UUID]:
    return (
        select(Verdict.cluster_id)
        .join(Critique, Critique.id == Verdict.critique_id)
        .where(Critique.run_id == critique.id)
    )


def standing_answers(critique: Run) -> CTE:
    """The newest answer of every reader on every cluster, where it was not taken back; from earlier critiques too."""
    newest = func.row_number().over(
        partition_by=(Review.cluster_id, Review.user_id), order_by=(Review.created_at.desc(), Review.id)
    )
    ranked = select(Review, newest.label("place")).where(Review.cluster_id.in_(clusters_of(critique))).subquery()
    return (
        select(ranked.c.cluster_id, ranked.c.user_id, ranked.c.answer, ranked.c.blind, ranked.c.created_at)
        .where(ranked.c.place == 1, ranked.c.answer != Answer.WITHDRAWN)
        .cte("standing")
    )


def worklist(session: Session, critique: Run, reader: User, narrowed: Narrowed = ALL) -> Worklist:
    counts = count_cases(session, critique, narrowed)
    sample = read_blind(session, critique, reader)
    open_cases = [each.id for each in sample if not each.answered]
    next_id = open_cases[0] if open_cases else next_case(session, critique, narrowed)
    planted = any(each.planted for each in sample)
    return Worklist(bool(open_cases), len(sample), len(sample) - len(open_cases), planted, counts, next_id)


def blind_sample(session: Session, critique: Run, reader: User) -> list[tuple[UUID, bool]]:
    """The cases that are read blind in their order, and whether this reader answered them."""
    return [(each.id, each.answered) for each in read_blind(session, critique, reader)]


def read_blind(session: Session, critique: Run, reader: User) -> list[ReadBlind]:
    """The sample's clusters, and what was planted among them.

    Cluster ids are random, so the smallest ones are a random sample, and the same one for every reader.
    """
    sample = sampled(critique)
    standing = standing_answers(critique)
    mine = and_(standing.c.cluster_id == sample.c.cluster_id, standing.c.user_id == reader.id)
    clusters = select(sample.c.cluster_id, standing.c.user_id.is_not(None), false()).outerjoin(standing, mine)
    planted = honeypots.planted_for(critique, reader).add_columns(true())
    return sorted(ReadBlind(*row) for row in session.execute(union_all(clusters, planted)))


def sampled(critique: Run) -> Subquery:
    """Where there are few clusters, half of them are read blind, so that some are left to be read with the critic."""
    total = select(func.count()).select_from(clusters_of(critique).subquery()).scalar_subquery()
    ordered = (
        clusters_of(critique).add_columns(func.row_number().over(order_by=Verdict.cluster_id).label("place")).subquery()
    )
    chosen = select(ordered.c.cluster_id).where(ordered.c.place <= REVIEW_SAMPLE, ordered.c.place * 2 <= total + 1)
    return chosen.subquery()


def blind_cases_left(session: Session, critique: Run, reader: User) -> int:
    """How many cases keep a critique's verdicts closed for a reader.

    Clinicians are the readers: whoever of them has seen the verdicts can't read blind any more.
    """
    if reader.role is not Role.CLINICIAN:
        return 0
    return sum(not answered for _, answered in blind_sample(session, critique, reader))


def count_cases(session: Session, critique: Run, narrowed: Narrowed = ALL) -> Counts:
    answers = answers_by_cluster(critique)
    unanswered = answers.c.answers.is_(None)
    uncertain = Verdict.value == VerdictValue.UNCERTAIN
    stays_uncertain = unreviewed_value() == VerdictValue.UNCERTAIN
    agreeing = case(
        (Verdict.value == VerdictValue.SPURIOUS, answers.c.blind_spurious),
        (Verdict.value == VerdictValue.RELEVANT, answers.c.blind_relevant),
        else_=0,
    )
    compared = case((uncertain, 0), else_=answers.c.blind_spurious + answers.c.blind_relevant)
    total, left, uncertain_left, agreed, n = session.execute(
        select(
            func.count(),
            func.sum(case((unanswered, 1), else_=0)),
            func.sum(case((and_(unanswered, stays_uncertain), 1), else_=0)),
            func.sum(agreeing),
            func.sum(compared),
        )
        .select_from(Verdict)
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Explanation, Explanation.id == Critique.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .outerjoin(answers, answers.c.cluster_id == Verdict.cluster_id)
        .outerjoin(AgreedVerdict, agreed_on(critique, Verdict.cluster_id))
        .where(Critique.run_id == critique.id, narrowed.condition)
    ).one()
    # PostgreSQL gives the sum of a sum as a Decimal, which no float can be multiplied with.
    return Counts(total, total - (left or 0), uncertain_left or 0, wilson(int(agreed or 0), int(n or 0)))


def answers_by_cluster(critique: Run) -> Subquery:
    standing = standing_answers(critique)
    blind = standing.c.blind.is_(True)
    return (
        select(
            standing.c.cluster_id,
            func.count().label("answers"),
            func.sum(case((and_(blind, standing.c.answer == Answer.SPURIOUS), 1), else_=0)).label("blind_spurious"),
            func.sum(case((and_(blind, standing.c.answer == Answer.RELEVANT), 1), else_=0)).label("blind_relevant"),
        )
        .group_by(standing.c.cluster_id)
        .subquery()
    )


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
