"""Readers differ: the cases on which they do, one at a time, and what is asked to be read twice."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from app.behaviour.pictures import PAGE_SIZE, Shown
from app.deps import Clinician, CurrentProject, DBSession, PageNumber, page
from app.languages.catalogue import gettext
from app.models import Project, Run
from app.projects.queries import Step, loop_state
from app.review import disagreements
from app.review.blind import blind_cases_left, still_open
from app.review.cases import said_of
from app.review.current import CurrentCritique
from app.review.forms import GivenAnswer, Note
from app.review.second import set_share
from app.trust.lock import owns

router = APIRouter(prefix="/projects/{project_id}/review")


@router.post("/second")
def set_second_readings(
    user: Clinician,
    project: CurrentProject,
    percent: Annotated[int, Form(ge=0, le=100)],
    critique_id: Annotated[UUID, Form()],
) -> Response:
    set_share(project, user, percent)
    return RedirectResponse(f"/projects/{project.id}/review/{critique_id}/disagreements", 303)


@router.get("/{critique_id}/disagreements")
def show_disagreements(
    request: Request,
    session: DBSession,
    user: Clinician,
    project: CurrentProject,
    critique: CurrentCritique,
    number: PageNumber = 1,
) -> Response:
    left = blind_cases_left(session, critique, user)
    first = (number - 1) * PAGE_SIZE
    found, total = ([], 0) if left else disagreements.disagreements(session, critique, user, first, PAGE_SIZE)
    return page(
        request,
        "review/disagreements.html",
        project=project,
        step=Step.REVIEW,
        loop=loop_state(session, project),
        critique=critique,
        blind_left=left,
        shown=Shown(found, total, number),
        mine=disagreements.last_settlement(session, critique, user),
        person=user,
        owns=owns(user, project),
    )


@router.post("/{critique_id}/disagreements/undo")
def undo_settlement(
    session: DBSession, user: Clinician, project: CurrentProject, critique: CurrentCritique
) -> Response:
    withdrawn = disagreements.take_settlement_back(session, critique, user)
    return RedirectResponse(address(project, critique, withdrawn.cluster_id if withdrawn else None), 303)


@router.get("/{critique_id}/disagreements/{cluster_id}")
def show_disagreement(
    request: Request,
    session: DBSession,
    user: Clinician,
    project: CurrentProject,
    critique: CurrentCritique,
    cluster_id: UUID,
) -> Response:
    if left := blind_cases_left(session, critique, user):
        raise HTTPException(409, still_open(left))
    found, place, total = disagreements.disagreement(session, critique, user, cluster_id)
    if found is None:
        raise HTTPException(404, gettext(disagreements.NOT_OPEN))
    target = next(each for each in project.classes if each.id == found.cluster.explanation.image.class_id)
    may_settle = found.may_be_settled_by(user)
    return page(
        request,
        "review/disagreement.html",
        project=project,
        step=Step.REVIEW,
        loop=loop_state(session, project),
        critique=critique,
        found=found,
        place=place,
        total=total,
        target=target,
        said=said_of(session, critique, target.id),
        may_settle=may_settle,
        others=0 if may_settle else disagreements.others_who_may_settle(session, found),
        mine=disagreements.last_settlement(session, critique, user),
    )


@router.post("/{critique_id}/disagreements/{cluster_id}")
def settle(
    session: DBSession,
    user: Clinician,
    project: CurrentProject,
    critique: CurrentCritique,
    cluster_id: UUID,
    answer: GivenAnswer,
    note: Note = "",
) -> Response:
    if left := blind_cases_left(session, critique, user):
        raise HTTPException(409, still_open(left))
    disagreements.settle_case(session, critique, user, cluster_id, answer, note)
    after = disagreements.next_disagreement(session, critique, user, cluster_id)
    return RedirectResponse(address(project, critique, after), 303)


def address(project: Project, critique: Run, cluster_id: UUID | None) -> str:
    whole = f"/projects/{project.id}/review/{critique.id}/disagreements"
    return f"{whole}/{cluster_id}" if cluster_id else whole
