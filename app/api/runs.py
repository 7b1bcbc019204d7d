"""Long work: starting it, following it, stopping it."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.api.bearer import Caller
from app.api.run_shapes import EpochOut, RunOut, StartRun
from app.behaviour.evidence import summaries_of
from app.deps import DBSession, find_project, refuse_to_run
from app.models import Epoch, Kind, Project, Run
from app.models.summary import ClassSummary
from app.runs.actions import cancel_run, start_run
from app.runs.belonging import ForeignError, refuse_foreign
from app.runs.parameters import CritiqueParameters, Parameters, TrialParameters
from app.runs.queries import epochs_of, find_run
from app.specifications.queries import judge_examples
from app.trust.lock import LockedError

router = APIRouter()
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
def start(session: DBSession, caller: Caller, project_id: UUID, asked: StartRun) -> Run:
    """Starts work of any kind but the reading of data sets and checkpoints, which begins with their upload."""
    parameters = asked.root.parameters
    refuse_to_run(caller, Kind(asked.root.kind))
    project = find_project(session, project_id)
    try:
        refuse_foreign(session, project_id, parameters)
    except ForeignError as error:
        raise HTTPException(422, f"{error} Nothing was started.") from error
    try:
        return start_run(session, project_id, with_examples(session, project, parameters), caller.id)
    except LockedError as error:
        raise HTTPException(409, f"{error} Nothing was started.") from error


def with_examples(session: Session, project: Project, parameters: Parameters) -> Parameters:
    """The judge's examples as they stand now, where the request brings none of its own."""
    if isinstance(parameters, CritiqueParameters | TrialParameters) and not parameters.examples:
        return parameters.model_copy(update={"examples": judge_examples(session, project)})
    return parameters


@router.get("/runs/{run_id}", tags=["runs"], response_model=RunOut)
def get_run(session: DBSession, caller: Caller, run_id: UUID) -> Run:
    del caller
    return find_run(session, run_id)


@router.get("/runs/{run_id}/summaries", tags=["runs"])
def list_summaries(session: DBSession, caller: Caller, run_id: UUID) -> dict[UUID, ClassSummary]:
    """By class, what the model looks at: shares that add up, sentences, and the clusters behind each of them."""
    del caller
    run = find_run(session, run_id)
    if run.kind is not Kind.ANALYSIS:
        raise HTTPException(422, "Only an analysis has summaries.")
    return summaries_of(run)


@router.post("/runs/{run_id}/cancel", tags=["runs"], response_model=RunOut)
def cancel(session: DBSession, caller: Caller, run_id: UUID) -> Run:
    """Asks the run to stop; what is done is kept. A run that has ended is left as it is."""
    run = find_run(session, run_id)
    refuse_to_run(caller, run.kind)
    cancel_run(session, run)
    return run


@router.get("/runs/{run_id}/epochs", tags=["runs"], response_model=list[EpochOut])
def list_epochs(session: DBSession, caller: Caller, run_id: UUID) -> Sequence[Epoch]:
    """What was measured after each epoch of a training or realignment."""
    del caller
    return epochs_of(session, find_run(session, run_id))
