"""Recording and taking back a reader's answers; rows are only added."""

from uuid import UUID

from fastapi import HTTPException
from sqlalchemy.orm import Session

from app.models import Answer, Review, Run, User
from app.review import queries


def record_answer(session: Session, critique: Run, reader: User, cluster_id: UUID, answer: Answer) -> Review:
    """Adds the reader's word on a cluster; whether it is blind is decided here, never by the browser."""
    asked, newest = queries.asked_and_newest(session, critique, reader, cluster_id)
    if not asked:
        raise HTTPException(404, "This case no longer exists.")
    if newest is not None and newest.answer is answer:
        return newest  # sent twice
    sample = dict(queries.blind_sample(session, critique, reader))
    reading_blind = not all(sample.values())
    if reading_blind and cluster_id not in sample:
        raise HTTPException(409, "This case comes after your first reading. Load the page again.")
    review = Review(cluster_id=cluster_id, user_id=reader.id, run_id=critique.id, answer=answer, blind=reading_blind)
    session.add(review)
    session.flush()
    return review


def take_back(session: Session, critique: Run, reader: User) -> UUID | None:
    """Withdraws the reader's last answer and returns its cluster; None where there is none to take back.

    Once the blind reading is done its answers stay: a second answer would be given with the verdicts in view.
    """
    reading_blind = not all(answered for _, answered in queries.blind_sample(session, critique, reader))
    cluster_id = queries.last_answer(session, critique, reader, blind=reading_blind)
    if cluster_id is not None:
        session.add(
            Review(
                cluster_id=cluster_id,
                user_id=reader.id,
                run_id=critique.id,
                answer=Answer.WITHDRAWN,
                blind=reading_blind,
            )
        )
        session.flush()
    return cluster_id
