"""Cases on which readers differ, for whoever settles them, and how much is read a second time."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from app.api.bearer import Caller
from app.api.critiques import find_critique, read_blind_first
from app.api.expert_shapes import ReviewOut
from app.api.shapes import In, Out
from app.deps import DBSession, find_project
from app.models import Answer, Review, Run, User
from app.review.disagreements import Disagreement, disagreements, settle_case, take_settlement_back
from app.review.forms import NoteText
from app.review.second import set_share

router = APIRouter(tags=["verdicts and reviews"])


class SettlementIn(In):
    answer: Literal[Answer.SPURIOUS, Answer.RELEVANT, Answer.CANT_TELL]
    note: NoteText = Field("", description="why, in the adjudicator's words")


class ReadingOut(Out):
    """One reader's word, without their name."""

    answer: Answer
    blind: bool
    note: str
    created_at: datetime


class DisagreementOut(BaseModel):
    cluster_id: UUID
    explanation_id: UUID
    number: int
    place: str
    readings: list[ReadingOut] = Field(description="in the order in which they were given")
    yours: bool = Field(description="whether you may settle it")


class SecondReadings(In):
    percent: int = Field(ge=0, le=100, description="of the answered cases that another reader is asked about too")


def open_critique(session: Session, run_id: UUID, caller: User) -> Run:
    critique = find_critique(session, run_id)
    read_blind_first(session, critique, caller)
    return critique


@router.get("/runs/{run_id}/disagreements")
def list_disagreements(
    session: DBSession,
    caller: Caller,
    run_id: UUID,
    first: Annotated[int, Query(ge=0, le=10**9)] = 0,
    count: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DisagreementOut]:
    """The clusters of a critique on which readers differ and which nobody has settled, with what each of them said.

    Readers are not named, so that what counts is what was said and not by whom.
    """
    critique = open_critique(session, run_id, caller)
    found, _ = disagreements(session, critique, caller, first, count)
    return [shape(each, caller) for each in found]


def shape(found: Disagreement, caller: User) -> DisagreementOut:
    return DisagreementOut(
        cluster_id=found.cluster.id,
        explanation_id=found.cluster.explanation_id,
        number=found.cluster.number,
        place=found.cluster.place,
        readings=[ReadingOut.model_validate(reading) for reading in found.readings],
        yours=found.may_be_settled_by(caller),
    )


@router.post("/runs/{run_id}/disagreements/undo", response_model=ReviewOut)
def undo_settlement(session: DBSession, caller: Caller, run_id: UUID) -> Review:
    """Takes your last settlement back; it stays on record as withdrawn."""
    withdrawn = take_settlement_back(session, open_critique(session, run_id, caller), caller)
    if withdrawn is None:
        raise HTTPException(409, "You have settled nothing here that can be taken back.")
    return withdrawn


@router.post("/runs/{run_id}/disagreements/{cluster_id}", status_code=201, response_model=ReviewOut)
def settle(session: DBSession, caller: Caller, run_id: UUID, cluster_id: UUID, asked: SettlementIn) -> Review:
    """Settles what readers differ on: for a clinician or an administrator who is none of the cluster's readers."""
    critique = open_critique(session, run_id, caller)
    return settle_case(session, critique, caller, cluster_id, asked.answer, asked.note)


@router.get("/projects/{project_id}/second-readings")
def show_second_readings(session: DBSession, caller: Caller, project_id: UUID) -> SecondReadings:
    """How much of what is answered is read by another reader too."""
    del caller
    return SecondReadings(percent=find_project(session, project_id).second_readings)


@router.put("/projects/{project_id}/second-readings")
def set_second_readings(session: DBSession, caller: Caller, project_id: UUID, asked: SecondReadings) -> SecondReadings:
    """Sets it: for who made the project, and administrators."""
    set_share(find_project(session, project_id), caller, asked.percent)
    return asked
