"""Which case a reader sees next.

A case is one cluster in its picture. A reader first answers the blind sample; then come the cases that are read twice
and that one other person has answered; then all that nobody has answered, in their order.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, select, true
from sqlalchemy.orm import Session

from app.db import transaction
from app.models import Cluster, Project, Run, User
from app.review import blind
from app.review.answers import answers_by_cluster, is_answered
from app.review.counts import Counts, count_cases
from app.review.locks import Held, held_row, take, take_turns
from app.review.order import ALL, Narrowed, cases_of
from app.review.second import is_open


@dataclass(frozen=True)
class Worklist:
    """Where a reader stands in a critique."""

    blind: bool
    sample: int  # cases to read blind
    sample_answered: int  # of them, by this reader
    planted: bool  # whether any of them is
    next_blind: UUID | None  # a cluster, or a planted case
    counts: Counts
    held: Held


def worklist(session: Session, project: Project, critique: Run, reader: User, narrowed: Narrowed = ALL) -> Worklist:
    held, sample = held_and_sample(session, critique, reader, narrowed)
    counts = count_cases(session, critique, reader, held.consensus, project.second_readings, narrowed)
    open_cases = [each.id for each in sample if not each.answered]
    return Worklist(
        blind=bool(open_cases),
        sample=len(sample),
        sample_answered=len(sample) - len(open_cases),
        planted=any(each.planted for each in sample),
        next_blind=open_cases[0] if open_cases else None,
        counts=counts,
        held=held,
    )


def held_and_sample(
    session: Session, critique: Run, reader: User, narrowed: Narrowed
) -> tuple[Held, list[blind.ReadBlind]]:
    """In one statement: the case that is the reader's still, on each row, and the cases of their blind reading."""
    cases = blind.blind_rows(critique, reader).subquery()
    rows = session.execute(held_row(critique, reader, narrowed).add_columns(*cases.c).outerjoin(cases, true())).all()
    return Held.told(*rows[0][:4]), blind.in_order(critique, [row[4:] for row in rows if row[4] is not None])


def shown_case(
    session: Session | None, project: Project, critique: Run, reader: User, work: Worklist, narrowed: Narrowed
) -> UUID | None:
    """The case to show, which is the reader's from now on; None where all is read, or others have what is left.

    session: one that may write; without one a lock that has to be written gets a transaction of its own.
    """
    if work.next_blind is not None:
        return work.next_blind
    if work.held.is_fresh:
        return work.held.cluster_id
    if session is not None:
        return take_next(session, project, critique, reader, work, narrowed)
    with transaction() as own:
        return take_next(own, project, critique, reader, work, narrowed)


def take_next(
    session: Session, project: Project, critique: Run, reader: User, work: Worklist, narrowed: Narrowed
) -> UUID | None:
    take_turns(session, critique)
    lists = [unanswered(critique, work.held.consensus, narrowed)]
    if work.counts.second:
        lists.insert(0, second_readings(critique, reader, project, work.held.consensus, narrowed))
    if work.held.cluster_id is not None:
        lists.insert(0, this_case(work.held.cluster_id))
    return take(session, critique, reader, *lists)


def take_this(session: Session, critique: Run, reader: User, cluster_id: UUID) -> UUID | None:
    """None where somebody else has it."""
    return take(session, critique, reader, this_case(cluster_id))


def this_case(cluster_id: UUID) -> Select[UUID]:
    return select(Cluster.id).where(Cluster.id == cluster_id)


def unanswered(critique: Run, consensus: UUID | None, narrowed: Narrowed = ALL) -> Select[UUID]:
    """In the order in which they are read."""
    cases = cases_of(critique, consensus, narrowed).subquery()
    return select(cases.c.cluster_id).where(~is_answered(cases.c.cluster_id)).order_by(cases.c.place)


def second_readings(
    critique: Run, reader: User, project: Project, consensus: UUID | None, narrowed: Narrowed = ALL
) -> Select[UUID]:
    """That are open to this reader."""
    cases, answers = cases_of(critique, consensus, narrowed).subquery(), answers_by_cluster(reader)
    return (
        select(answers.c.cluster_id)
        .join(cases, cases.c.cluster_id == answers.c.cluster_id)
        .where(is_open(answers, project.second_readings))
        .order_by(answers.c.cluster_id)
    )
