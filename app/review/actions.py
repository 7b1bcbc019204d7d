"""Recording and taking back a reader's answers; rows are only added."""

from uuid import UUID

from fastapi import HTTPException
from sqlalchemy.orm import Session

from app.languages.catalogue import gettext, msgid
from app.models import Answer, HoneypotAnswer, Review, Run, User
from app.review import answers, blind, honeypots

GONE = msgid("This case no longer exists.")


def record_answer(
    session: Session, critique: Run, reader: User, cluster_id: UUID, answer: Answer, note: str = ""
) -> Review | HoneypotAnswer:
    """Adds the reader's word on a case, whoever else has answered it or holds it now.

    Whether it is blind, and what kind of case it is, is decided here, never by the browser.
    """
    asked, newest = answers.asked_and_newest(session, critique, reader, cluster_id)
    if not asked:
        return record_on_planted(session, critique, reader, cluster_id, answer, note)
    if newest is not None and (newest.answer, newest.note) == (answer, note):
        return newest  # sent twice
    sample = dict(blind.blind_sample(session, critique, reader))
    reading_blind = not all(sample.values())
    if reading_blind and cluster_id not in sample:
        raise HTTPException(409, gettext("This case comes after your first reading. Load the page again."))
    given = {"cluster_id": cluster_id, "user_id": reader.id, "run_id": critique.id}
    review = Review(answer=answer, blind=reading_blind, note=note, **given)
    session.add(review)
    session.flush()
    return review


def record_on_planted(
    session: Session, critique: Run, reader: User, case_id: UUID, answer: Answer, note: str
) -> HoneypotAnswer:
    sample = dict(blind.blind_sample(session, critique, reader))
    if case_id not in sample:
        raise HTTPException(404, gettext(GONE))
    newest = honeypots.newest_answer(session, reader, case_id)
    if newest is not None and (newest.answer, newest.note) == (answer, note):
        return newest  # sent twice
    if all(sample.values()):
        raise HTTPException(
            409, gettext("This case was part of your first reading, which is done. Load the page again.")
        )
    given = HoneypotAnswer(case_id=case_id, user_id=reader.id, run_id=critique.id, answer=answer, note=note)
    session.add(given)
    session.flush()
    return given


def take_back(session: Session, critique: Run, reader: User) -> Review | HoneypotAnswer | None:
    """Withdraws the reader's last answer and returns the row that says so; None where there is none to take back.

    Its note goes with it, so that it is there when the case is shown again. Once the blind reading is done its answers
    stay: a second answer would be given with the verdicts in view.
    """
    reading_blind = not all(answered for _, answered in blind.blind_sample(session, critique, reader))
    last = answers.last_answer(session, critique, reader, blind=reading_blind)
    planted = honeypots.last_answer(session, critique, reader) if reading_blind else None
    mine = {"user_id": reader.id, "run_id": critique.id, "answer": Answer.WITHDRAWN}
    withdrawn: Review | HoneypotAnswer
    if planted is not None and (last is None or planted.created_at > last.created_at):
        withdrawn = HoneypotAnswer(case_id=planted.case_id, note=planted.note, **mine)
    elif last is not None:
        withdrawn = Review(cluster_id=last.cluster_id, blind=reading_blind, note=last.note, **mine)
    else:
        return None
    session.add(withdrawn)
    session.flush()
    return withdrawn
