"""Blind readings of a known agreement with the judge, and trust bars, as they stand in the database."""

from collections import Counter
from itertools import zip_longest
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import finished
from app.models import Answer, Cluster, Critique, Project, Review, Run, TrustBar, User, Verdict, VerdictValue
from app.models.figures import Estimate
from app.models.trust_record import TrustRecord
from app.review.blind import blind_sample
from app.trust.actions import AskedBar, set_bar

OPPOSITE = {Answer.SPURIOUS: Answer.RELEVANT, Answer.RELEVANT: Answer.SPURIOUS}
SURE = {VerdictValue.SPURIOUS: 0.9, VerdictValue.RELEVANT: 0.1}


def read_sample(
    session: Session, critique: Run, reader: User, count: int = 24, wrong: int = 0, cant_tell: int = 0
) -> list[UUID]:
    """The reader answers ``count`` cases of the sample, of which the judge calls every second one spurious.

    On the first ``wrong`` cases they say the opposite, and can't tell the next ``cant_tell``. Returns the cases. Those
    called spurious are of as many pictures as there are: the sample is random, and of too few nothing is trained.
    """
    cases = over_pictures(session, [cluster_id for cluster_id, _ in blind_sample(session, critique, reader)][:count])
    for place, cluster_id in enumerate(cases):
        judge(session, critique, cluster_id, VerdictValue.RELEVANT if place % 2 else VerdictValue.SPURIOUS)
        answer = Answer.RELEVANT if place % 2 else Answer.SPURIOUS
        if place < wrong:
            answer = OPPOSITE[answer]
        elif place < wrong + cant_tell:
            answer = Answer.CANT_TELL
        say(session, critique, reader, cluster_id, answer)
    session.flush()
    return cases


def over_pictures(session: Session, cases: list[UUID]) -> list[UUID]:
    """In an order in which every second one is of another picture, as long as there are others."""
    pictures = dict(session.execute(select(Cluster.id, Cluster.explanation_id).where(Cluster.id.in_(cases))).all())
    seen: Counter[UUID] = Counter()
    rounds = {}
    for case in cases:
        rounds[case] = seen[pictures[case]]
        seen[pictures[case]] += 1
    ordered = sorted(cases, key=lambda case: rounds[case])
    half = (len(cases) + 1) // 2
    return [each for pair in zip_longest(ordered[:half], ordered[half:]) for each in pair if each is not None]


def judge(session: Session, critique: Run, cluster_id: UUID, value: VerdictValue) -> None:
    """Where that is another verdict than it was, its probability and its reason follow.

    No finished critique ever says something else, so that what a page counted of it before is kept; here it is not.
    """
    finished._kept.clear()
    mine = select(Critique.id).where(Critique.run_id == critique.id)
    session.execute(
        update(Verdict)
        .where(Verdict.cluster_id == cluster_id, Verdict.critique_id.in_(mine), Verdict.value != value)
        .values(value=value, p_spurious=SURE.get(value, 0.5), reason="")
    )


def say(session: Session, critique: Run, reader: User, cluster_id: UUID, answer: Answer, *, blind: bool = True) -> None:
    session.add(Review(cluster_id=cluster_id, user_id=reader.id, run_id=critique.id, answer=answer, blind=blind))
    session.flush()


def add_bar(
    session: Session,
    project: Project,
    least_kappa: float = 0.4,
    least_cases: int = 20,
    locks: bool = True,
    user: User | None = None,
) -> TrustBar:
    asked = AskedBar(locks=locks, least_kappa=least_kappa, least_cases=least_cases, reason="Agreed in the team.")
    return set_bar(session, project.id, asked, user.id if user else None)


def overridden() -> TrustRecord:
    """As a run keeps it that an owner started under the bar."""
    return TrustRecord(
        judged=True,
        least_kappa=0.4,
        least_cases=20,
        cases=24,
        kappa=Estimate(value=0.25, low=-0.1, high=0.6, n=24),
        locked="The judge agrees with blind readers to a kappa of 0.25; the bar asks for at least 0.4.",
        override="A rehearsal.",
        overridden_by="Grace Engineer",
    )
