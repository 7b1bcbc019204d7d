"""How critic, judge and readers did on what was planted in copies of a project's own pictures."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Answer, Honeypot, HoneypotAnswer, HoneypotCase, Kind, Named, Project, Role, Run, State, User
from app.models.figures import Estimate
from app.review.blind import read_blind
from app.statistics import wilson

SHOWN = 6


@dataclass(frozen=True)
class Score:
    """caught: of what was named spurious, how much was judged so; spared: the same of what was named relevant."""

    pots: Sequence[Honeypot]
    caught: Estimate
    spared: Estimate

    @property
    def shown(self) -> Sequence[Honeypot]:
        """A few, what was judged wrongly first."""
        return sorted(self.pots, key=lambda pot: pot.value.value == pot.named.value)[:SHOWN]


def newest_score(session: Session, project: Project) -> Score | None:
    """Of the newest honeypots that the LVLM which the project has now was asked about; None where there are none."""
    newest = (
        select(Run.id)
        .where(
            Run.project_id == project.id,
            Run.kind == Kind.HONEYPOT,
            Run.state == State.SUCCEEDED,
            Run.result["lvlm"].as_string() == project.lvlm,
        )
        .order_by(Run.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    pots = session.scalars(select(Honeypot).where(Honeypot.run_id == newest).order_by(Honeypot.id)).all()
    return Score(pots, share(pots, Named.SPURIOUS), share(pots, Named.RELEVANT)) if pots else None


def share(pots: Sequence[Honeypot], named: Named) -> Estimate:
    mine = [pot.value.value == named.value for pot in pots if pot.named is named]
    return wilson(sum(mine), len(mine))


@dataclass(frozen=True)
class ReaderScore:
    """On the planted cases that a reader answered. Can't tell is not right, as the judge's ``uncertain`` is not."""

    name: str
    right: Estimate
    sensitivity: Estimate  # of what is spurious, how much was called so
    specificity: Estimate  # of what is relevant, how much was called so
    cant_tell: int


def reader_scores(session: Session, project: Project) -> list[ReaderScore]:
    """One for each reader who answered a planted case of this project, under whichever critique."""
    rows = session.execute(
        select(User.id, User.display_name, HoneypotCase.id, HoneypotCase.truth, HoneypotAnswer.answer)
        .select_from(HoneypotAnswer)
        .join(HoneypotCase, HoneypotCase.id == HoneypotAnswer.case_id)
        .join(Run, Run.id == HoneypotCase.critique_id)
        .join(User, User.id == HoneypotAnswer.user_id)
        .where(Run.project_id == project.id)
        .order_by(User.display_name, User.id, HoneypotAnswer.created_at, HoneypotAnswer.id)
    )
    names: dict[UUID, str] = {}
    newest: dict[UUID, dict[UUID, tuple[Named, Answer]]] = defaultdict(dict)
    for reader_id, name, case_id, truth, answer in rows:
        names[reader_id] = name
        newest[reader_id][case_id] = (truth, answer)
    standing = {
        reader_id: [given for given in answers.values() if given[1] is not Answer.WITHDRAWN]
        for reader_id, answers in newest.items()
    }
    return [reader_score(names[reader_id], given) for reader_id, given in standing.items() if given]


def reader_score(name: str, given: Sequence[tuple[Named, Answer]]) -> ReaderScore:
    right = {truth: [answer.value == truth.value for of, answer in given if of is truth] for truth in Named}
    spurious, relevant = right[Named.SPURIOUS], right[Named.RELEVANT]
    return ReaderScore(
        name=name,
        right=wilson(sum(spurious) + sum(relevant), len(given)),
        sensitivity=wilson(sum(spurious), len(spurious)),
        specificity=wilson(sum(relevant), len(relevant)),
        cant_tell=sum(answer is Answer.CANT_TELL for _, answer in given),
    )


def may_meet_planted(session: Session, critique: Run | None, reader: User) -> bool:
    """Whether planted cases are among those that the reader still reads blind: pictures or a score could tell which.

    Who is no clinician may see the verdicts anyway, but once they have begun to read, not this.
    """
    cases = read_blind(session, critique, reader) if critique else []
    if not any(case.planted for case in cases) or all(case.answered for case in cases):
        return False
    return reader.role is Role.CLINICIAN or any(case.answered for case in cases)
