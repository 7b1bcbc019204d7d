"""Page 7, Compare, and the decision on it."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from app.accounts.confirming import refusal
from app.decisions import pictures, queries
from app.decisions.actions import MEANINGS, MEASURED_ANEW, UNDER_BAR, sign
from app.decisions.dumbbell import dumbbell
from app.deps import Clinician, CurrentProject, DBSession, Engineer, page
from app.exports.onnx import export_of
from app.languages.catalogue import gettext
from app.models import Checkpoint, Origin, Project, Role, Run, User
from app.projects.queries import LoopState, Step, loop_state, newest_analysis
from app.projects.work import unfinished_run
from app.review.blind import blind_cases_left
from app.runs.actions import start_once
from app.runs.parameters import EvaluationParameters

router = APIRouter(prefix="/projects/{project_id}")


def get_realigned(session: DBSession, project: CurrentProject, checkpoint_id: UUID) -> Checkpoint:
    checkpoint = session.get(Checkpoint, checkpoint_id)
    if checkpoint is None or checkpoint.project_id != project.id or checkpoint.origin is not Origin.REALIGNED:
        raise HTTPException(404, gettext("This project has no such realigned checkpoint."))
    return checkpoint


Realigned = Annotated[Checkpoint, Depends(get_realigned)]


@router.get("/compare")
def show_comparison(
    request: Request, session: DBSession, user: Clinician, project: CurrentProject, checkpoint: UUID | None = None
) -> Response:
    loop = loop_state(session, project)
    candidates = [each.checkpoint for each in loop.made if each.checkpoint.origin is Origin.REALIGNED]
    after = next((each for each in candidates if checkpoint in {None, each.id}), None)
    if after is None:
        return page(
            request,
            "decisions/empty.html",
            project=project,
            step=Step.DECIDE,
            loop=loop,
            run=unfinished_run(session, project, Step.DECIDE),
        )
    others = [each for each in candidates if each is not after]
    comparison = queries.compare(session, after, loop.made)
    return show_page(request, session, project, user, comparison, loop=loop, others=others)


def show_page(
    request: Request,
    session: Session,
    project: Project,
    user: User,
    comparison: queries.Comparison,
    *,
    loop: LoopState,
    others: list[Checkpoint] | None = None,
    error: str = "",
    approved: bool | None = None,
    reason: str = "",
    status: int = 200,
) -> Response:
    before, after = comparison.measured_before, comparison.measured_after
    decisions = queries.decisions_on(session, comparison.after)
    counts, pairs = queries.paired(session, comparison)
    may_export = user.role is not Role.CLINICIAN
    gives_onnx = may_export and bool(decisions) and decisions[0].approved
    return page(
        request,
        "decisions/compare.html",
        status=status,
        project=project,
        step=Step.DECIDE,
        loop=loop,
        run=unfinished_run(session, project, Step.DECIDE),
        comparison=comparison,
        plot=dumbbell(before.figures, after.figures) if before and after else None,
        paired=counts,
        pairs=pairs,
        names={target.id: target.name for target in project.classes},
        positions={target.id: target.position for target in project.classes},
        decisions=decisions,
        under_bar=gettext(UNDER_BAR),
        meanings={answer: gettext(meaning) for answer, meaning in MEANINGS.items()},
        others=others or [],
        explained=newest_analysis(session, project, comparison.after),
        may_export=may_export,
        onnx=export_of(session, comparison.after, decisions[0]) if gives_onnx else None,
        blind=is_to_read_blind(session, comparison, user),
        error=error,
        approved=approved,
        reason=reason,
    )


def is_to_read_blind(session: Session, comparison: queries.Comparison, user: User) -> bool:
    """Whether how the judge did has to be kept from this person until they have read blind."""
    if user.role is not Role.CLINICIAN:
        return False
    return blind_cases_left(session, session.get_one(Run, comparison.parameters.critique_id), user) > 0


@router.get("/compare/{checkpoint_id}/pictures")
def show_pictures(request: Request, session: DBSession, project: CurrentProject, checkpoint: Realigned) -> Response:
    comparison = queries.compare(session, checkpoint)
    return page(
        request,
        "decisions/pictures.html",
        project=project,
        step=Step.DECIDE,
        loop=loop_state(session, project),
        before=comparison.before,
        after=checkpoint,
        explained=pictures.explained_pairs(session, comparison),
        names={target.id: target.name for target in project.classes},
    )


@router.get("/compare/{checkpoint_id}/pictures/{image_id}")
def show_picture(
    request: Request, session: DBSession, project: CurrentProject, checkpoint: Realigned, image_id: UUID
) -> Response:
    image = pictures.image_of(session, project, image_id)
    if image is None:
        raise HTTPException(404, gettext("This project has no such picture."))
    return page(
        request,
        "decisions/picture.html",
        project=project,
        step=Step.DECIDE,
        loop=loop_state(session, project),
        after=checkpoint,
        image=image,
        sides=pictures.sides(session, queries.compare(session, checkpoint), image),
        names={target.id: target.name for target in project.classes},
        position=next(target.position for target in project.classes if target.id == image.class_id),
    )


@router.post("/compare/{checkpoint_id}/measure")
def measure_both(session: DBSession, user: Engineer, project: CurrentProject, checkpoint: Realigned) -> Response:
    """For checkpoints whose figures are missing: measures both, and their control, on the same images."""
    comparison = queries.compare(session, checkpoint)
    measured = [each.id for each in (comparison.before, comparison.after, comparison.control) if each]
    parameters = EvaluationParameters(checkpoint_ids=tuple(measured), critique_id=comparison.parameters.critique_id)
    run = start_once(session, project.id, parameters, user.id)
    return RedirectResponse(f"/runs/{run.id}", 303)


@router.post("/compare/{checkpoint_id}/explain")
def explain_realigned(session: DBSession, user: Clinician, project: CurrentProject, checkpoint: Realigned) -> Response:
    """The next round begins with it: what a model looks at whose shortcut is gone."""
    parameters = queries.explained_like_before(session, queries.compare(session, checkpoint))
    start_once(session, project.id, parameters, user.id)
    return RedirectResponse(f"/projects/{project.id}/behaviour", 303)


@router.post("/compare/{checkpoint_id}/decision")
def sign_decision(
    request: Request,
    session: DBSession,
    user: Clinician,
    project: CurrentProject,
    checkpoint: Realigned,
    decision: Annotated[Literal["approve", "reject"], Form()],
    reason: Annotated[str, Form(max_length=4000)],
    password: Annotated[str, Form()],
    before_report_id: Annotated[UUID, Form()],
    after_report_id: Annotated[UUID, Form()],
) -> Response:
    """Asks for the password again: the signature is the person's, not the open browser's."""
    comparison = queries.compare(session, checkpoint)
    approved = decision == "approve"
    told, status = "", 422
    if not comparison.is_measured:
        told = gettext("Both checkpoints have to be measured before a decision.")
    elif not comparison.rests_on(before_report_id, after_report_id):
        told, status = gettext(MEASURED_ANEW), 409
    elif approved and not comparison.may_be_approved:
        told, status = gettext(UNDER_BAR), 409
    elif not reason.strip():
        told = gettext("A decision needs its reason.")
    else:
        told = refusal(session, user, password, "signature", project.id)
    if told:
        return show_page(
            request,
            session,
            project,
            user,
            comparison,
            loop=loop_state(session, project),
            error=f"{told} {gettext('Nothing was signed.')}",
            approved=approved,
            reason=reason,
            status=status,
        )
    sign(session, project, comparison, user, approved, reason)
    return RedirectResponse(f"/projects/{project.id}/compare?checkpoint={checkpoint.id}#decision", 303)
