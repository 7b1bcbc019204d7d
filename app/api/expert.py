"""What a domain expert says: specifications, reviews and decisions."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actions import find_by_password
from app.accounts.attempts import attempts
from app.api.bearer import Caller
from app.api.critiques import find_critique, read_blind_first
from app.api.expert_shapes import DecisionIn, DecisionOut, ReviewIn, ReviewOut, SpecificationIn, SpecificationOut
from app.audit.actions import note_export, note_refusal
from app.config import settings
from app.db import transaction
from app.decisions import queries as decisions
from app.decisions.actions import MEASURED_ANEW, UNDER_BAR, sign
from app.deps import DBSession, find_project
from app.models import Checkpoint, Decision, HoneypotAnswer, Origin, Project, Review
from app.projects.queries import clusters_judged
from app.review.actions import record_answer, take_back
from app.review.second import closed_to
from app.runs.parameters import EntryText
from app.specifications.actions import save_version
from app.specifications.queries import versions_of

router = APIRouter()
Count = Annotated[int, Query(ge=1, le=5000)]
First = Annotated[int, Query(ge=0, le=10**9)]


@router.get("/projects/{project_id}/specifications", tags=["specifications"])
def list_specifications(session: DBSession, caller: Caller, project_id: UUID) -> list[SpecificationOut]:
    """All versions, the newest first."""
    del caller
    project = find_project(session, project_id)
    return [SpecificationOut.of(version, project.classes) for version in versions_of(session, project)]


@router.post("/projects/{project_id}/specifications", tags=["specifications"], status_code=201)
def save_specification(
    session: DBSession, caller: Caller, project_id: UUID, asked: SpecificationIn
) -> SpecificationOut:
    """Adds the next version; words that say the same as the newest one make no new one."""
    project = find_project(session, project_id)
    version = save_version(session, project, caller, entries_of(asked, project), asked.reason)
    session.refresh(version, ["entries"])
    return SpecificationOut.of(version, project.classes)


def entries_of(asked: SpecificationIn, project: Project) -> tuple[EntryText, ...]:
    given = {entry.class_name: entry for entry in asked.entries}
    names = [target.name for target in project.classes]
    if sorted(given) != sorted(names) or len(asked.entries) != len(names):
        raise HTTPException(422, f"A specification speaks of each class once: {', '.join(names)}. Nothing was saved.")
    return tuple(
        EntryText(
            class_id=target.id,
            spurious=given[target.name].spurious,
            relevant=given[target.name].relevant,
            notes=given[target.name].notes,
        )
        for target in project.classes
    )


@router.get("/runs/{run_id}/reviews", tags=["verdicts and reviews"], response_model=list[ReviewOut])
def list_reviews(
    session: DBSession, caller: Caller, run_id: UUID, first: First = 0, count: Count = 1000
) -> Sequence[Review]:
    """Everything that people answered on a critique's clusters, in its order; the newest of a reader counts.

    One that settles a difference counts before all readers'. A clinician is not given what others said of the cases
    that they are still to read a second time.
    """
    critique = find_critique(session, run_id)
    read_blind_first(session, critique, caller)
    closed = closed_to(session, critique, caller)
    note_export("review", critique.id, critique.project_id, first=first, count=count)
    return session.scalars(
        select(Review)
        .where(Review.cluster_id.in_(clusters_judged(critique)), Review.cluster_id.not_in(closed))
        .order_by(Review.created_at, Review.id)
        .offset(first)
        .limit(count)
    ).all()


@router.post("/runs/{run_id}/reviews", tags=["verdicts and reviews"], status_code=201, response_model=ReviewOut)
def give_review(session: DBSession, caller: Caller, run_id: UUID, asked: ReviewIn) -> Review | HoneypotAnswer:
    """Your word on one cluster of a critique; whether it was given blind is decided here."""
    critique = find_critique(session, run_id)
    return record_answer(session, critique, caller, asked.cluster_id, asked.answer, asked.note)


@router.post("/runs/{run_id}/reviews/undo", tags=["verdicts and reviews"], response_model=ReviewOut)
def undo_review(session: DBSession, caller: Caller, run_id: UUID) -> Review | HoneypotAnswer:
    """Takes your last answer back; it stays on record as withdrawn."""
    critique = find_critique(session, run_id)
    withdrawn = take_back(session, critique, caller)
    if withdrawn is None:
        raise HTTPException(409, "You have no answer here that can be taken back.")
    return withdrawn


@router.get("/projects/{project_id}/decisions", tags=["decisions"], response_model=list[DecisionOut])
def list_decisions(session: DBSession, caller: Caller, project_id: UUID) -> Sequence[Decision]:
    """The newest first."""
    del caller
    find_project(session, project_id)
    return session.scalars(
        select(Decision).where(Decision.project_id == project_id).order_by(Decision.created_at.desc())
    ).all()


@router.post("/checkpoints/{checkpoint_id}/decisions", tags=["decisions"], status_code=201, response_model=DecisionOut)
def sign_decision(session: DBSession, caller: Caller, checkpoint_id: UUID, asked: DecisionIn) -> Decision:
    """Approves or rejects a realigned checkpoint. The signature is a person's: it asks for the password, too."""
    checkpoint = session.get(Checkpoint, checkpoint_id)
    if checkpoint is None or checkpoint.origin is not Origin.REALIGNED:
        raise HTTPException(404, "There is no such realigned checkpoint.")
    check_signer(session, caller.name, asked.password)
    comparison = decisions.compare(session, checkpoint)
    if not comparison.is_measured:
        raise HTTPException(409, "Both checkpoints have to be measured before a decision. Nothing was signed.")
    if not comparison.rests_on(asked.before_report_id, asked.after_report_id):
        raise HTTPException(409, f"{MEASURED_ANEW} Nothing was signed.")
    if asked.approved and not comparison.may_be_approved:
        raise HTTPException(409, f"{UNDER_BAR} Nothing was signed.")
    project = find_project(session, checkpoint.project_id)
    return sign(session, project, comparison, caller, asked.approved, asked.reason)


def check_signer(session: Session, name: str, password: str) -> None:
    keys = (f"name {name}",)
    if attempts.wait(keys, settings().sign_in_attempts):
        raise HTTPException(429, "Too many wrong passwords. Nothing was signed.")
    if find_by_password(session, name, password) is None:
        attempts.note_failure(keys)
        session.rollback()  # as the error will: the entry has to outlive it, and can't wait for this session's lock
        with transaction() as own:
            note_refusal(own, "signature", name)
        raise HTTPException(403, "That is not your password. Nothing was signed.")
