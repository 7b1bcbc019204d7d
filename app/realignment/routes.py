"""Page 6, Realign: what goes in, the bar that is written down first, the training, and what it gave."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from app.behaviour.pictures import PAGE_SIZE, Shown
from app.deps import Clinician, CurrentProject, DBSession, PageNumber, page
from app.languages.catalogue import gettext
from app.models import Kind, Run
from app.projects.queries import Step, loop_state
from app.projects.work import unfinished_run
from app.realignment import queries
from app.realignment.doubts import doubts, found_of
from app.realignment.forms import RealignmentForm
from app.realignment.ingredients import ingredients_of
from app.review.blind import blind_cases_left
from app.review.second import closed_to
from app.runs.actions import start_once
from app.runs.belonging import ForeignError, need_run
from app.runs.curves import curves_of
from app.runs.queries import delivered_epoch, epochs_of
from app.trust.lock import Lock, LockedError, lock_of, owns

router = APIRouter(prefix="/projects/{project_id}/realign")


@router.get("")
def show_realignment(request: Request, session: DBSession, user: Clinician, project: CurrentProject) -> Response:
    loop = loop_state(session, project)
    critique = loop.critique
    past = queries.past_of(session, project)
    unfinished = unfinished_run(session, project, Step.REALIGN)
    found = found_of(session, critique) if critique else None
    lock = lock_of(session, critique) if critique else Lock()
    against = doubts(found) if found else []
    blind = bool(critique and (against or not lock.is_open) and blind_cases_left(session, critique, user))
    closed = closed_to(session, critique, user) if critique else frozenset()
    return page(
        request,
        "realignment/realignment.html",
        project=project,
        step=Step.REALIGN,
        loop=loop,
        critique=critique,
        ingredients=ingredients_of(session, critique, closed) if critique and closed else found and found.ingredients,
        closed=len(closed),
        balanced=any(each.balanced for each in loop.made if each.checkpoint is loop.checkpoint),
        seconds_an_epoch=queries.seconds_an_epoch(past),
        run=unfinished,
        curves=curves_of(epochs_of(session, unfinished), delivered_epoch(session, unfinished)) if unfinished else [],
        outcomes=queries.outcomes_of(session, past, loop.made),
        lock=lock.told(blind=blind),
        against=list(dict.fromkeys(each.told(blind=blind) for each in against)),
        owns=owns(user, project),
    )


@router.get("/pictures")
def show_corrected(
    request: Request,
    session: DBSession,
    reader: Clinician,
    project: CurrentProject,
    number: PageNumber = 1,
) -> Response:
    loop = loop_state(session, project)
    critique = loop.critique
    if critique is None:
        raise HTTPException(404, gettext("Nothing is judged yet."))
    blind_left = blind_cases_left(session, critique, reader)
    closed = frozenset() if blind_left else closed_to(session, critique, reader)
    first = (number - 1) * PAGE_SIZE
    rows, total = ([], 0) if blind_left else queries.corrected_pictures(session, critique, first, PAGE_SIZE, closed)
    return page(
        request,
        "realignment/pictures.html",
        project=project,
        step=Step.REALIGN,
        loop=loop,
        blind_left=blind_left,
        closed=len(closed),
        shown=Shown(rows, total, number),
        names={target.id: target.name for target in project.classes},
    )


@router.post("")
def start_realignment(
    session: DBSession, user: Clinician, project: CurrentProject, asked: Annotated[RealignmentForm, Form()]
) -> Response:
    """A clinician's to start: the method has the domain expert trigger the correction that follows from their words."""
    try:
        need_run(session, project.id, asked.critique_id, Kind.CRITIQUE)
    except ForeignError as error:
        raise HTTPException(404, f"{error} {gettext('Nothing was started.')}") from error
    if not ingredients_of(session, session.get_one(Run, asked.critique_id)).spurious:
        raise HTTPException(
            409, gettext("No region stands as spurious, so there is nothing to correct. Nothing was started.")
        )
    try:
        start_once(session, project.id, asked.parameters(), user.id)
    except LockedError as error:
        raise HTTPException(409, f"{error} {gettext('Nothing was started.')}") from error
    return RedirectResponse(f"/projects/{project.id}/realign", 303)
