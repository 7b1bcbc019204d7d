"""Locks on cases: while one reader is shown a case, the others are given another.

A lock lives some minutes, is renewed while its reader is at work, and ends with their answer. It only says who is given
which case: whoever answers after it was lost is heard all the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, and_, exists, literal, or_, select, true, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import SQLCoreOperations

from app.db import now
from app.models import AgreedVerdict, CaseLock, Cluster, Run, User
from app.projects.lvlm import NONE
from app.review.answers import is_answered
from app.review.order import Narrowed, is_of_class
from app.review.standing import newest_consensus

LIFE = timedelta(minutes=10)
FRESH = LIFE / 2  # with so much of it left nothing is written to show the case again


@dataclass(frozen=True)
class Held:
    """The case that is a reader's still, with the newest consensus; either may be none.

    lvlm: whose words the critique has, so that its result, which may be long, needs no statement of its own.
    """

    lvlm: str
    consensus: UUID | None
    cluster_id: UUID | None
    is_fresh: bool

    @classmethod
    def told(cls, lvlm: str | None, consensus: UUID | None, cluster_id: UUID | None, until: datetime | None) -> "Held":
        """From a row of ``held_row``."""
        return cls(lvlm or NONE, consensus, cluster_id, until is not None and until - now() > FRESH)


def held_row(critique: Run, reader: User, narrowed: Narrowed) -> Select[str, UUID, UUID, datetime]:
    lock = (CaseLock.run_id == Run.id, CaseLock.user_id == reader.id)
    is_theirs = and_(*lock, is_still_theirs(critique, reader), is_within(critique, narrowed))
    return (
        select(Run.result["lvlm"].as_string(), newest_consensus(critique.id), CaseLock.cluster_id, CaseLock.until)
        .select_from(Run)
        .outerjoin(CaseLock, is_theirs)
        .where(Run.id == critique.id)
    )


def is_still_theirs(critique: Run, reader: User) -> ColumnElement[bool]:
    """They have not answered, and the lock lives; or it has run out, and nobody else has come by since."""
    untouched = and_(~is_held_by_another(CaseLock.cluster_id, critique, reader), ~is_answered(CaseLock.cluster_id))
    return and_(~is_answered(CaseLock.cluster_id, by=reader.id), or_(CaseLock.until > now(), untouched))


def is_within(critique: Run, narrowed: Narrowed) -> ColumnElement[bool]:
    wanted: list[ColumnElement[bool]] = [true()]
    if narrowed.class_id:
        explanation = select(Cluster.explanation_id).where(Cluster.id == CaseLock.cluster_id).correlate(CaseLock)
        wanted.append(is_of_class(explanation.scalar_subquery(), narrowed.class_id))
    if narrowed.kind is not None:
        agreed = and_(
            AgreedVerdict.run_id == newest_consensus(critique.id), AgreedVerdict.cluster_id == CaseLock.cluster_id
        )
        wanted.append(exists().where(agreed, AgreedVerdict.kind == narrowed.kind))
    return and_(*wanted)


def is_held_by_another(cluster_id: SQLCoreOperations[UUID], critique: Run, reader: User) -> ColumnElement[bool]:
    other = aliased(CaseLock)
    lives = and_(other.until > now(), ~is_answered(other.cluster_id, by=other.user_id))
    return exists().where(
        other.run_id == critique.id, other.cluster_id == cluster_id, other.user_id != reader.id, lives
    )


def take_turns(session: Session, critique: Run) -> None:
    """Until the transaction ends nobody else takes a case of this critique.

    SQLite has one writer at a time anyway. The row of the critique stays free for whoever only refers to it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(Run.id).where(Run.id == critique.id).with_for_update(key_share=True))


def take(session: Session, critique: Run, reader: User, *lists: Select[UUID]) -> UUID | None:
    """The first case that nobody else holds, of the first of these lists with such a case, is the reader's from now on.

    None where there is none. One statement chooses and takes, after ``take_turns``.
    """
    firsts = (first_free(cases, number, critique, reader).subquery() for number, cases in enumerate(lists))
    free = union_all(*(select(first) for first in firsts)).subquery()
    row = {
        "id": literal(uuid4(), CaseLock.id.type),
        "run_id": literal(critique.id, CaseLock.run_id.type),
        "cluster_id": free.c.cluster_id,
        "user_id": literal(reader.id, CaseLock.user_id.type),
        "until": literal(now() + LIFE, CaseLock.until.type),
    }
    kind = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = kind(CaseLock).from_select([*row], select(*row.values()).order_by(free.c.number).limit(1))
    changed = {"cluster_id": statement.excluded.cluster_id, "until": statement.excluded.until}
    taken = statement.on_conflict_do_update(index_elements=["run_id", "user_id"], set_=changed)
    return session.scalar(taken.returning(CaseLock.cluster_id))


def first_free(cases: Select[UUID], number: int, critique: Run, reader: User) -> Select[UUID, int]:
    """number: of the list that the cases are."""
    (cluster_id,) = cases.selected_columns
    free = cases.where(~is_held_by_another(cluster_id, critique, reader)).limit(1)
    return free.with_only_columns(cluster_id.label("cluster_id"), literal(number).label("number"))


def renew(session: Session, critique: Run, reader: User) -> bool:
    """Gives the reader's lock its whole life again; False where they hold no case, or somebody else has it by now."""
    take_turns(session, critique)
    mine = (CaseLock.run_id == critique.id, CaseLock.user_id == reader.id)
    found = session.scalar(select(CaseLock.id).where(*mine, is_still_theirs(critique, reader)))
    if found is not None:
        session.execute(update(CaseLock).where(CaseLock.id == found).values(until=now() + LIFE))
    return found is not None
