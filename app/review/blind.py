"""The blind sample: what every reader answers first, before any verdict leaves the server.

A few planted cases lie among it where there are some.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Subquery, false, func, select, true, union_all
from sqlalchemy.orm import Session

from app.languages.catalogue import ngettext
from app.models import Cluster, Role, Run, State, User, Verdict
from app.projects.queries import REVIEW_SAMPLE, clusters_judged
from app.review import honeypots
from app.review.answers import is_answered

# By critique, once it is done: its clusters never change, and to choose among all of them takes a while.
SAMPLES: dict[UUID, tuple[UUID, ...]] = {}


@dataclass(frozen=True, order=True)
class ReadBlind:
    """A case of the blind reading: a cluster's id, or that of a planted case."""

    id: UUID
    answered: bool
    planted: bool


def blind_sample(session: Session, critique: Run, reader: User) -> list[tuple[UUID, bool]]:
    """The cases that are read blind in their order, and whether this reader answered them."""
    return [(each.id, each.answered) for each in read_blind(session, critique, reader)]


def read_blind(session: Session, critique: Run, reader: User) -> list[ReadBlind]:
    """The sample's clusters, and what was planted among them."""
    return in_order(critique, session.execute(blind_rows(critique, reader)))


def blind_rows(critique: Run, reader: User) -> CompoundSelect[UUID, bool, bool]:
    """As ``ReadBlind``. Cluster ids are random, so the smallest ones are a random sample, and every reader's."""
    known = SAMPLES.get(critique.id)
    among = Cluster.id.in_(select(sampled(critique).c.cluster_id) if known is None else known)
    answered = is_answered(Cluster.id, by=reader.id).label("answered")
    clusters = select(Cluster.id, answered, false().label("planted")).where(among)
    return union_all(clusters, honeypots.planted_for(critique, reader).add_columns(true()))


def in_order(critique: Run, rows: Iterable[Sequence[Any]]) -> list[ReadBlind]:
    """rows: of ``blind_rows``."""
    found = sorted(ReadBlind(*row) for row in rows)
    if critique.state is State.SUCCEEDED:
        SAMPLES[critique.id] = tuple(each.id for each in found if not each.planted)
    return found


def sampled(critique: Run) -> Subquery:
    """Where there are few clusters, half of them are read blind, so that some are left to be read with the critic."""
    first = clusters_judged(critique).order_by(Verdict.cluster_id).limit(2 * REVIEW_SAMPLE).subquery()
    place = func.row_number().over(order_by=first.c.cluster_id).label("place")
    ordered = select(first.c.cluster_id, place, func.count().over().label("total")).subquery()
    half = ordered.c.place * 2 <= ordered.c.total + 1
    return select(ordered.c.cluster_id).where(ordered.c.place <= REVIEW_SAMPLE, half).subquery()


def blind_cases_left(session: Session, critique: Run, reader: User) -> int:
    """How many cases keep a critique's verdicts closed for a reader.

    Clinicians are the readers: whoever of them has seen the verdicts can't read blind any more.
    """
    if reader.role is not Role.CLINICIAN:
        return 0
    return sum(not answered for _, answered in blind_sample(session, critique, reader))


def still_open(left: int) -> str:
    """Why what would bias a blind reading is not shown yet."""
    return ngettext(
        "First comes your blind reading: 1 of its cases is open.",
        "First comes your blind reading: %(left)s of its cases are open.",
        left,
        left=left,
    )
