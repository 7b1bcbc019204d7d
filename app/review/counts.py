"""How many clusters of a critique are read, and how many are left to read."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from app.finished import counted_once
from app.models import Run, User, VerdictValue
from app.models.figures import Estimate
from app.review.answers import answers_by_cluster, judged_value, readers_differ
from app.review.order import ALL, Narrowed, cases_of
from app.review.second import is_open
from app.statistics import wilson


@dataclass(frozen=True)
class Counts:
    """Clusters of a critique, narrowed where that is asked for."""

    total: int
    answered: int  # by anyone
    uncertain_left: int  # that stand as uncertain and nobody answered
    second: int  # answered by one other person, whom this reader is asked to follow
    differ: int  # on which readers differ and nobody has settled it
    agreement: Estimate  # of the judge with blind readers, where both said spurious or relevant

    @property
    def left(self) -> int:
        return self.total - self.answered


def count_cases(
    session: Session, critique: Run, reader: User, consensus: UUID | None, percent: int = 0, narrowed: Narrowed = ALL
) -> Counts:
    """consensus: the newest one done; percent: of the answered cases that are read twice.

    All are counted once, in an index alone; what people answered is little, and is looked up.
    """
    cases = cases_of(critique, consensus, narrowed).subquery()
    answers = answers_by_cluster(reader)
    judged = judged_value(critique, answers.c.cluster_id)
    compared = answers.c.blind_spurious + answers.c.blind_relevant
    uncertain = or_(compared == 0, judged == VerdictValue.UNCERTAIN)  # the verdict is looked up for blind answers only
    agreeing = case((judged == VerdictValue.SPURIOUS, answers.c.blind_spurious), else_=answers.c.blind_relevant)
    whole = select(func.count().label("total"), func.count().filter(cases.c.unsure).label("unsure")).select_from(cases)
    read = (
        select(
            func.count().label("answered"),
            func.count().filter(cases.c.unsure).label("answered_unsure"),
            func.count().filter(is_open(answers, percent)).label("second"),
            func.count().filter(readers_differ(answers)).label("differ"),
            func.sum(case((uncertain, 0), else_=agreeing)).label("agreed"),
            func.sum(case((uncertain, 0), else_=compared)).label("compared"),
        )
        .select_from(answers)
        .join(cases, cases.c.cluster_id == answers.c.cluster_id)
    )
    (total, unsure), (answered, answered_unsure, second, differ, agreed, n) = counted_once(
        session, critique, ("cases", consensus, narrowed), whole, read
    )
    # PostgreSQL gives the sum of a sum as a Decimal, which no float can be multiplied with.
    agreement = wilson(int(agreed or 0), int(n or 0))
    return Counts(total, answered, unsure - answered_unsure, second, differ, agreement)
