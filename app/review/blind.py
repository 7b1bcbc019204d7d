"""The blind sample: what every reader answers first, before any verdict leaves the server.

A few planted cases lie among it where there are some.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Subquery, and_, false, func, select, true, union_all
from sqlalchemy.orm import Session

from app.models import Role, Run, User, Verdict
from app.projects.queries import REVIEW_SAMPLE, clusters_judged
from app.review import honeypots
from app.review.answers import standing_answers


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
    total = select(func.count()).select_from(clusters_judged(critique).subquery()).scalar_subquery()
    ordered = (
        clusters_judged(critique)
        .add_columns(func.row_number().over(order_by=Verdict.cluster_id).label("place"))
        .subquery()
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
