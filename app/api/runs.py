"""Long work: starting it, following it, stopping it, and the verdicts it gave."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, HTTPException, Query
from sqlalchemy import select

from app.api.bearer import Caller
from app.api.shapes import EpochOut, RunOut, StartRun, VerdictOut
from app.deps import DBSession, at_least_engineer, find_project
from app.models import Cluster, Critique, Epoch, Explanation, Kind, Run, Verdict
from app.review.standing import standings
from app.runs.actions import cancel_run, start_run
from app.runs.belonging import ForeignError, refuse_foreign
from app.runs.parameters import ImportParameters
from app.runs.queries import epochs_of, find_run

router = APIRouter()
ENGINEERS_KINDS = {Kind.IMPORT, Kind.REGISTRATION, Kind.TRAINING}  # they bring data sets and checkpoints
Count = Annotated[int, Query(ge=1, le=5000)]
First = Annotated[int, Query(ge=0, le=10**9)]


@router.get("/projects/{project_id}/runs", tags=["runs"], response_model=list[RunOut])
def list_runs(
    session: DBSession, caller: Caller, project_id: UUID, kind: Kind | None = None, first: First = 0, count: Count = 100
) -> Sequence[Run]:
    """The newest first."""
    del caller
    find_project(session, project_id)
    query = select(Run).where(Run.project_id == project_id).order_by(Run.created_at.desc())
    if kind is not None:
        query = query.where(Run.kind == kind)
    return session.scalars(query.offset(first).limit(count)).all()


@router.post("/projects/{project_id}/runs", tags=["runs"], status_code=202, response_model=RunOut)
def start(session: DBSession, caller: Caller, project_id: UUID, asked: Annotated[StartRun, Body()]) -> Run:
    """Starts work of any kind. Data sets and checkpoints are easier to bring through their own addresses."""
    if Kind(asked.kind) in ENGINEERS_KINDS:
        at_least_engineer(caller)
    if isinstance(asked.parameters, ImportParameters) and asked.parameters.path:
        raise HTTPException(422, "Folders of the server are imported from its command line; send a zip here.")
    find_project(session, project_id)
    try:
        refuse_foreign(session, project_id, asked.parameters)
    except ForeignError as error:
        raise HTTPException(422, f"{error} Nothing was started.") from error
    return start_run(session, project_id, asked.parameters, caller.id)


@router.get("/runs/{run_id}", tags=["runs"], response_model=RunOut)
def get_run(session: DBSession, caller: Caller, run_id: UUID) -> Run:
    del caller
    return find_run(session, run_id)


@router.post("/runs/{run_id}/cancel", tags=["runs"], response_model=RunOut)
def cancel(session: DBSession, caller: Caller, run_id: UUID) -> Run:
    """Asks the run to stop; what is done is kept. A run that has ended is left as it is."""
    del caller
    run = find_run(session, run_id)
    cancel_run(session, run)
    return run


@router.get("/runs/{run_id}/epochs", tags=["runs"], response_model=list[EpochOut])
def list_epochs(session: DBSession, caller: Caller, run_id: UUID) -> Sequence[Epoch]:
    """What was measured after each epoch of a training or realignment."""
    del caller
    return epochs_of(session, find_run(session, run_id))


@router.get("/runs/{run_id}/verdicts", tags=["verdicts and reviews"])
def list_verdicts(
    session: DBSession, caller: Caller, run_id: UUID, first: First = 0, count: Count = 1000
) -> list[VerdictOut]:
    """The judge's word on every cluster of a critique, and what stands after review."""
    del caller
    run = find_run(session, run_id)
    if run.kind is not Kind.CRITIQUE:
        raise HTTPException(422, "Only a critique has verdicts.")
    standing = {each.cluster_id: each for each in standings(session, run.id)}
    rows = session.execute(
        select(Verdict, Cluster, Explanation.image_id)
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Cluster, Cluster.id == Verdict.cluster_id)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .where(Critique.run_id == run.id)
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
            place=cluster.place,
            words=cluster.words,
            value=verdict.value,
            p_spurious=verdict.p_spurious,
            text=verdict.text,
            reason=verdict.reason,
            stands=standing[cluster.id].value,
            reviewed=standing[cluster.id].reviewed,
        )
        for verdict, cluster, image_id in rows
    ]
