"""How many clusters of a critique are read, and how many are left to read."""

from dataclasses import dataclass

from sqlalchemy import Subquery, and_, case, func, select
from sqlalchemy.orm import Session

from app.models import AgreedVerdict, Answer, Critique, Explanation, Image, Run, Verdict, VerdictValue
from app.models.figures import Estimate
from app.review.agreed import agreed_on, unreviewed_value
from app.review.answers import standing_answers
from app.review.narrowed import ALL, Narrowed
from app.statistics import wilson


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
