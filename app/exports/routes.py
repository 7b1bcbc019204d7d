"""Of page 8, Decision: what is taken out, namely weights, report, model card and verdicts."""

from fastapi import APIRouter, HTTPException, Response
from sqlalchemy.orm import Session

from app.audit.actions import note_export
from app.decisions.actions import signed_weights
from app.decisions.approval import NotApprovedError, approval_of
from app.decisions.queries import compare
from app.decisions.routes import Realigned, is_to_read_blind
from app.deps import Clinician, CurrentProject, DBSession, Engineer
from app.exports import documents
from app.exports.content import Content, content_of
from app.exports.verdicts import verdicts_as_csv
from app.languages.catalogue import gettext
from app.models import Checkpoint, Decision, Project, Run, User
from app.review.blind import blind_cases_left, still_open
from app.review.second import closed_to
from app.storage import BlobMissingError, storage
from app.trust.lock import record_of

router = APIRouter(prefix="/projects/{project_id}/checkpoints/{checkpoint_id}")


@router.get("/report")
def download_report(session: DBSession, user: Clinician, project: CurrentProject, checkpoint: Realigned) -> Response:
    told = documents.report_html(told_of(session, project, checkpoint, user))
    return given_out("report", checkpoint, project, "-report.html", told.encode(), "text/html; charset=utf-8")


@router.get("/report.pdf")
def download_pdf(session: DBSession, user: Clinician, project: CurrentProject, checkpoint: Realigned) -> Response:
    try:
        pdf = documents.report_pdf(told_of(session, project, checkpoint, user))
    except documents.NoPDFError as error:
        raise HTTPException(503, str(error)) from error
    return given_out("report", checkpoint, project, "-report.pdf", pdf, "application/pdf")


@router.get("/card")
def download_card(session: DBSession, user: Clinician, project: CurrentProject, checkpoint: Realigned) -> Response:
    card = documents.model_card(told_of(session, project, checkpoint, user))
    return given_out("model card", checkpoint, project, "-model-card.md", card.encode(), "text/markdown; charset=utf-8")


@router.get("/verdicts")
def download_verdicts(session: DBSession, user: Clinician, project: CurrentProject, checkpoint: Realigned) -> Response:
    """As they stand now, not as they stood when the training was started: reviews outlast it."""
    critique = session.get_one(Run, compare(session, checkpoint).parameters.critique_id)
    if left := blind_cases_left(session, critique, user):
        raise HTTPException(409, still_open(left))
    table = verdicts_as_csv(session, critique, closed_to(session, critique, user))
    return given_out("verdict", checkpoint, project, "-verdicts.csv", table, "text/csv; charset=utf-8")


@router.get("/weights")
def download_weights(session: DBSession, user: Engineer, project: CurrentProject, checkpoint: Realigned) -> Response:
    """The weights as safetensors with the signature in their metadata; of approved checkpoints only."""
    del user  # asked for: clinicians don't take checkpoints out
    newest = need_approval(session, checkpoint)
    run = session.get(Run, checkpoint.run_id)
    trust = record_of(run) if run else None
    try:
        weights = storage().get(checkpoint.weights)
    except BlobMissingError as error:
        raise HTTPException(
            404, gettext("The weights of this checkpoint are missing in the store. Its figures and decisions are kept.")
        ) from error
    signed = signed_weights(weights, checkpoint, newest, project, trust)
    return given_out("checkpoint", checkpoint, project, ".safetensors", signed, "application/octet-stream")


def need_approval(session: Session, checkpoint: Checkpoint) -> Decision:
    try:
        return approval_of(session, checkpoint)
    except NotApprovedError as error:
        raise HTTPException(409, str(error)) from error


def told_of(session: Session, project: Project, checkpoint: Checkpoint, user: User) -> Content:
    comparison = compare(session, checkpoint)
    return content_of(session, project, comparison, user, blind=is_to_read_blind(session, comparison, user))


def given_out(
    thing: str, checkpoint: Checkpoint, project: Project, what: str, data: bytes, media_type: str
) -> Response:
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in project.name.lower())
    filename = f"{name}-checkpoint-{checkpoint.number}{what}"
    note_export(thing, checkpoint.id, project.id, file=filename)
    attached = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(data, media_type=media_type, headers=attached)
