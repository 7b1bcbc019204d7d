"""A critique's verdicts; for a reader they stay closed until the blind reading is done."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.api.bearer import Caller
from app.api.expert_shapes import DifferencesOut, VerdictOut
from app.audit.actions import note_export
from app.deps import DBSession
from app.models import AgreedVerdict, Cluster, Critique, Explanation, Kind, Run, User, Verdict
from app.review.agreed import Differences, agreed_on, differences_of
from app.review.blind import blind_cases_left
from app.review.second import closed_to
from app.review.standing import standings
from app.runs.queries import find_run

router = APIRouter(tags=["verdicts and reviews"])


def find_critique(session: Session, run_id: UUID) -> Run:
    run = find_run(session, run_id)
    if run.kind is not Kind.CRITIQUE:
        raise HTTPException(422, "Only a critique has verdicts and reviews.")
    return run


def read_blind_first(session: Session, critique: Run, caller: User) -> None:
    left = blind_cases_left(session, critique, caller)
    if left:
        raise HTTPException(409, f"First comes your blind reading: {left} of its cases are open.")


@router.get("/runs/{run_id}/differences", response_model=DifferencesOut)
def show_differences(session: DBSession, caller: Caller, run_id: UUID) -> Differences:
    """How far a critique's judge and its newest consensus differ, over all clusters and by kind of region."""
    critique = find_critique(session, run_id)
    read_blind_first(session, critique, caller)
    return differences_of(session, critique)


@router.get("/runs/{run_id}/verdicts")
def list_verdicts(
    session: DBSession,
    caller: Caller,
    run_id: UUID,
    first: Annotated[int, Query(ge=0, le=10**9)] = 0,
    count: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> list[VerdictOut]:
    """The judge's word on every cluster of a critique, what the newest consensus makes of it, and what stands."""
    critique = find_critique(session, run_id)
    read_blind_first(session, critique, caller)
    note_export("verdict", critique.id, critique.project_id, first=first, count=count)
    closed = closed_to(session, critique, caller)
    standing = {each.cluster_id: each for each in standings(session, critique.id, closed)}
    rows = session.execute(
        select(Verdict, Cluster, Explanation.image_id, AgreedVerdict)
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Cluster, Cluster.id == Verdict.cluster_id)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .outerjoin(AgreedVerdict, agreed_on(critique, Cluster.id))
        .where(Critique.run_id == critique.id)
        .order_by(Explanation.position, Cluster.number)
        .offset(first)
        .limit(count)
    )
    return [
        VerdictOut(
            cluster_id=cluster.id,
            explanation_id=cluster.explanation_id,
            image_id=image_id,
            number=cluster.number,
            share=cluster.share,
            effect=cluster.effect,
            odds_fall=cluster.odds_fall,
            place=cluster.place,
            words=cluster.words,
            value=verdict.value,
            p_spurious=verdict.p_spurious,
            p_calibrated=verdict.p_calibrated,
            agreement=verdict.agreement,
            text=verdict.text,
            reason=verdict.reason,
            flag=verdict.flag,
            stands=standing[cluster.id].value,
            stands_p_spurious=standing[cluster.id].p_spurious,
            source=standing[cluster.id].source,
            overruled=agreed.overruled if agreed else False,
            reason_id=agreed.reason_id if agreed and agreed.reason_id not in closed else None,
            nearest=[UUID(each) for each in agreed.nearest] if agreed else [],
            reviewed=standing[cluster.id].reviewed,
        )
        for verdict, cluster, image_id, agreed in rows
    ]
