"""Projects, with their data sets, checkpoints and reports."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, HTTPException, Response
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.api.bearer import Caller, EngineerCaller
from app.api.shapes import CheckpointOut, DatasetOut, LoopOut, ProjectIn, ProjectOut, ReportOut
from app.audit.actions import note_export
from app.deps import DBSession, find_project
from app.exports.onnx_routes import onnx_given_out
from app.models import Checkpoint, Dataset, Project, Report, Split
from app.projects.actions import ProjectError, create_project
from app.projects.lvlm import LVLMNameError
from app.projects.queries import loop_state
from app.storage import BlobMissingError, storage

router = APIRouter()


@router.get("/projects", tags=["projects"], response_model=list[ProjectOut])
def list_projects(session: DBSession, caller: Caller) -> Sequence[Project]:
    del caller
    made = select(Project).where(Project.draft.is_(None))
    return session.scalars(made.options(selectinload(Project.classes)).order_by(Project.created_at)).all()


@router.post("/projects", tags=["projects"], status_code=201, response_model=ProjectOut)
def make_project(session: DBSession, caller: EngineerCaller, asked: ProjectIn) -> Project:
    try:
        return create_project(
            session,
            asked.name,
            asked.task,
            asked.classes,
            caller.id,
            group_by=asked.group_by,
            lvlm=asked.lvlm,
            critic_notes=asked.critic_notes,
            bar=asked.bar,
        )
    except ProjectError as error:
        raise HTTPException(409, str(error)) from error
    except LVLMNameError as error:
        raise HTTPException(422, str(error)) from error


@router.get("/projects/{project_id}", tags=["projects"], response_model=ProjectOut)
def get_project(session: DBSession, caller: Caller, project_id: UUID) -> Project:
    del caller
    return find_project(session, project_id)


@router.get("/projects/{project_id}/loop", tags=["projects"])
def get_loop(session: DBSession, caller: Caller, project_id: UUID) -> LoopOut:
    """Where the project stands: the steps that are done, and the next one."""
    del caller
    return LoopOut.of(loop_state(session, find_project(session, project_id)))


@router.get("/projects/{project_id}/datasets", tags=["data sets"], response_model=list[DatasetOut])
def list_datasets(session: DBSession, caller: Caller, project_id: UUID) -> Sequence[Dataset]:
    del caller
    find_project(session, project_id)
    return session.scalars(select(Dataset).where(Dataset.project_id == project_id).order_by(Dataset.created_at)).all()


@router.get("/projects/{project_id}/checkpoints", tags=["checkpoints"], response_model=list[CheckpointOut])
def list_checkpoints(session: DBSession, caller: Caller, project_id: UUID) -> Sequence[Checkpoint]:
    del caller
    find_project(session, project_id)
    return session.scalars(
        select(Checkpoint).where(Checkpoint.project_id == project_id).order_by(Checkpoint.number)
    ).all()


def find_checkpoint(session: DBSession, checkpoint_id: UUID) -> Checkpoint:
    checkpoint = session.get(Checkpoint, checkpoint_id)
    if checkpoint is None:
        raise HTTPException(404, "There is no such checkpoint.")
    return checkpoint


@router.get("/checkpoints/{checkpoint_id}", tags=["checkpoints"], response_model=CheckpointOut)
def get_checkpoint(session: DBSession, caller: Caller, checkpoint_id: UUID) -> Checkpoint:
    del caller
    return find_checkpoint(session, checkpoint_id)


@router.get(
    "/checkpoints/{checkpoint_id}/weights",
    tags=["checkpoints"],
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def get_weights(session: DBSession, caller: EngineerCaller, checkpoint_id: UUID) -> Response:
    """The weights as a safetensors file."""
    del caller
    checkpoint = find_checkpoint(session, checkpoint_id)
    try:
        data = storage().get(checkpoint.weights)
    except BlobMissingError as error:
        raise HTTPException(404, "The weights of this checkpoint are missing in the store.") from error
    name = f"checkpoint-{checkpoint.number}.safetensors"
    note_export("checkpoint", checkpoint.id, checkpoint.project_id, file=name)
    return Response(
        data,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get(
    "/checkpoints/{checkpoint_id}/onnx",
    tags=["checkpoints"],
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def get_onnx(session: DBSession, caller: EngineerCaller, checkpoint_id: UUID) -> Response:
    """An approved checkpoint as an ONNX file, with the signature inside. Work of the kind ``export`` makes it."""
    del caller
    checkpoint = find_checkpoint(session, checkpoint_id)
    return onnx_given_out(session, find_project(session, checkpoint.project_id), checkpoint)


@router.get("/projects/{project_id}/reports", tags=["reports"], response_model=list[ReportOut])
def list_reports(
    session: DBSession,
    caller: Caller,
    project_id: UUID,
    checkpoint_id: UUID | None = None,
    split: Split | None = None,
) -> Sequence[Report]:
    """Measured figures, the newest first; each with its n and its interval, or why it is missing."""
    del caller
    find_project(session, project_id)
    note_export("report", None, project_id)
    query = select(Report).where(Report.project_id == project_id).order_by(Report.created_at.desc())
    if checkpoint_id is not None:
        query = query.where(Report.checkpoint_id == checkpoint_id)
    if split is not None:
        query = query.where(Report.split == split)
    return session.scalars(query).all()
