"""Cases on which readers differ, and their adjudication: somebody else sees both answers and settles it.

Readers are told apart by number alone, so that what counts is what was said and not by whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import HTTPException
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from app.languages.catalogue import gettext, msgid
from app.models import Answer, Cluster, Explanation, Review, Role, Run, User
from app.review.answers import answers_by_cluster, is_judged, readers_differ, standing_answers

ADJUDICATORS = {Role.CLINICIAN, Role.ADMIN}
NOT_OPEN = msgid("Its readers agree by now, or somebody has settled it already. Nothing was changed.")
NOT_YOURS = msgid(
    "A case is settled by a clinician or an administrator who is none of its readers. Nothing was changed."
)


@dataclass(frozen=True)
class Disagreement:
    """readings: those that stand, in the order in which they were given."""

    cluster: Cluster
    readings: list[Review]

    def may_be_settled_by(self, user: User) -> bool:
        return user.role in ADJUDICATORS and user.id not in {reading.user_id for reading in self.readings}


def differing(critique: Run, user: User) -> Select[UUID]:
    answers = answers_by_cluster(user, is_judged(critique, Review.cluster_id))
    return select(answers.c.cluster_id).where(readers_differ(answers)).order_by(answers.c.cluster_id)


def disagreements(
    session: Session, critique: Run, user: User, first: int, count: int
) -> tuple[list[Disagreement], int]:
    """Some of them in their order, and how many there are."""
    ids = session.scalars(differing(critique, user)).all()
    return load(session, ids[first : first + count]), len(ids)


def disagreement(session: Session, critique: Run, user: User, cluster_id: UUID) -> tuple[Disagreement | None, int, int]:
    """The one on a cluster, None where there is none; its place from 1, and how many there are."""
    ids = list(session.scalars(differing(critique, user)))
    if cluster_id not in ids:
        return None, 0, len(ids)
    return load(session, [cluster_id])[0], ids.index(cluster_id) + 1, len(ids)


def next_disagreement(session: Session, critique: Run, user: User, after: UUID) -> UUID | None:
    """The first after a cluster, else the first of all."""
    ids = list(session.scalars(differing(critique, user)))
    return next((each for each in ids if each > after), ids[0] if ids else None)


def load(session: Session, ids: Sequence[UUID]) -> list[Disagreement]:
    standing = standing_answers(Review.cluster_id.in_(ids))
    rows = session.execute(
        select(Cluster, Review)
        .join(standing, standing.c.cluster_id == Cluster.id)
        .join(Review, Review.id == standing.c.id)
        .order_by(Review.created_at, Review.id)
        .options(joinedload(Cluster.explanation).joinedload(Explanation.image))
    )
    found: dict[UUID, Disagreement] = {}
    for cluster, review in rows:
        found.setdefault(cluster.id, Disagreement(cluster, [])).readings.append(review)
    return [found[each] for each in ids]


def others_who_may_settle(session: Session, found: Disagreement) -> int:
    readers = [reading.user_id for reading in found.readings]
    able = (User.active.is_(True), User.role.in_(ADJUDICATORS), User.id.not_in(readers))
    return session.scalar(select(func.count()).select_from(User).where(*able)) or 0


def settle_case(
    session: Session, critique: Run, user: User, cluster_id: UUID, answer: Answer, note: str = ""
) -> Review:
    """Raises 409 where nothing is to be settled, 403 where the user may not."""
    newest = last_settlement(session, critique, user)
    if newest is not None and (newest.cluster_id, newest.answer, newest.note) == (cluster_id, answer, note):
        return newest  # sent twice
    found, _, _ = disagreement(session, critique, user, cluster_id)
    if found is None:
        raise HTTPException(409, gettext(NOT_OPEN))
    if not found.may_be_settled_by(user):
        raise HTTPException(403, gettext(NOT_YOURS))
    return add(session, critique, user, cluster_id, answer, note)


def take_settlement_back(session: Session, critique: Run, user: User) -> Review | None:
    """Withdraws the user's last one and returns the row that says so; None where there is none."""
    last = last_settlement(session, critique, user)
    return add(session, critique, user, last.cluster_id, Answer.WITHDRAWN, last.note) if last else None


def last_settlement(session: Session, critique: Run, user: User) -> Review | None:
    """The user's newest one that stands, of this critique."""
    mine = (Review.run_id == critique.id, Review.user_id == user.id, Review.settles.is_(True))
    rows = session.scalars(select(Review).where(*mine).order_by(Review.created_at, Review.id))
    newest = {row.cluster_id: row for row in rows}
    standing = [row for row in newest.values() if row.answer is not Answer.WITHDRAWN]
    return max(standing, key=lambda row: row.created_at, default=None)


def add(session: Session, critique: Run, user: User, cluster_id: UUID, answer: Answer, note: str) -> Review:
    given = {"cluster_id": cluster_id, "user_id": user.id, "run_id": critique.id, "blind": False}
    review = Review(answer=answer, note=note, settles=True, **given)
    session.add(review)
    session.flush()
    return review
