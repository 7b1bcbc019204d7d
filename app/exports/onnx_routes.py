"""An approved checkpoint leaves as an ONNX file, too: a worker makes it, then it is given out."""

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from app.decisions.routes import Realigned
from app.deps import CurrentProject, DBSession, Engineer
from app.exports.onnx import export_of
from app.exports.routes import given_out, need_approval
from app.languages.catalogue import gettext
from app.models import Checkpoint, Project
from app.runs.actions import start_once
from app.runs.parameters import ExportParameters
from app.storage import BlobMissingError, storage

router = APIRouter(prefix="/projects/{project_id}/checkpoints/{checkpoint_id}/onnx")


@router.post("")
def make_onnx(session: DBSession, user: Engineer, project: CurrentProject, checkpoint: Realigned) -> Response:
    decision = need_approval(session, checkpoint)
    if export_of(session, checkpoint, decision).file is None:
        start_once(session, project.id, ExportParameters(checkpoint_id=checkpoint.id), user.id)
    return RedirectResponse(f"/projects/{project.id}/compare?checkpoint={checkpoint.id}#exports", 303)


@router.get("")
def download_onnx(session: DBSession, user: Engineer, project: CurrentProject, checkpoint: Realigned) -> Response:
    """Of approved checkpoints only, under the signature that counts."""
    del user  # asked for: clinicians don't take checkpoints out
    return onnx_given_out(session, project, checkpoint)


def onnx_given_out(session: Session, project: Project, checkpoint: Checkpoint) -> Response:
    """The file, for a page or a program. Raises HTTPException where there is none, or it may not leave."""
    file = export_of(session, checkpoint, need_approval(session, checkpoint)).file
    if file is None:
        raise HTTPException(404, gettext("There is no ONNX file with the signature that counts. Make it first."))
    try:
        data = storage().get(file.blob)
    except BlobMissingError as error:
        raise HTTPException(404, gettext("The ONNX file is missing in the store.")) from error
    return given_out("checkpoint", checkpoint, project, ".onnx", data, "application/octet-stream")
