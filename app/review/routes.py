"""Page 4, Review: one case a screen, answered by key; the first ones blind."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from app.deps import Clinician, CurrentProject, DBSession, page
from app.models import Project, Run, User
from app.projects.lvlm import speaker_in, speaker_of
from app.projects.queries import LoopState, Step, loop_state, newest_specification
from app.projects.work import unfinished_run
from app.review import agreed, blind, cases, reliability
from app.review.actions import record_answer, take_back
from app.review.current import CurrentCritique
from app.review.forms import GivenAnswer, Note
from app.review.locks import renew, take_turns
from app.review.order import Narrowed
from app.review.second import open_to
from app.review.worklist import shown_case, take_this, worklist
from app.runs.actions import start_once
from app.runs.parameters import CalibrationParameters, CritiqueParameters

router = APIRouter(prefix="/projects/{project_id}/review")

SECONDS_A_CASE = 6.0  # what a practised reader takes


@router.get("")
def show_review(
    request: Request,
    session: DBSession,
    reader: Clinician,
    project: CurrentProject,
    class_id: UUID | None = None,
    kind: int | None = None,
) -> Response:
    loop = loop_state(session, project)
    run = unfinished_run(session, project, Step.REVIEW)
    if loop.critique is None or (run is not None and not run.state.is_final):
        return show_empty(request, session, project, loop, run)
    return page(
        request,
        "review/review.html",
        step=Step.REVIEW,
        loop=loop,
        run=run,
        **case_context(session, project, loop.critique, reader, Narrowed(class_id, kind)),
    )


def show_empty(request: Request, session: Session, project: Project, loop: LoopState, run: Run | None) -> Response:
    return page(
        request,
        "review/empty.html",
        project=project,
        step=Step.REVIEW,
        loop=loop,
        analysis=loop.analysis,
        specification=newest_specification(session, project),
        run=run,
        speaker=speaker_of(project.lvlm),
    )


def case_context(
    session: Session,
    project: Project,
    critique: Run,
    reader: User,
    narrowed: Narrowed,
    cluster_id: UUID | None = None,
    *,
    writing: Session | None = None,
) -> dict[str, Any]:
    """What the block ``case`` needs: the next case, or the one given; writing: the session, where it may write."""
    work = worklist(session, project, critique, reader, narrowed)
    shown = cluster_id or shown_case(writing, project, critique, reader, work, narrowed)
    case = cases.load_case(session, critique, reader, shown, blind=work.blind) if shown else None
    target = next((each for each in project.classes if case and each.id == case.explanation.image.class_id), None)
    why = case.line.agreed if case and case.line.goes_by_others else None
    # Whatever the list is narrowed to: similar regions are of other classes and kinds, too.
    closed = open_to(critique, reader, project.second_readings) if why and project.second_readings else None
    tells = why is not None and not (closed is not None and agreed.rests_on(session, why, closed))
    remaining = work.sample - work.sample_answered if work.blind else work.counts.left
    return {
        "project": project,
        "critique": critique,
        "work": work,
        "case": case,
        "target": target,
        "said": case.said if case else None,
        "similar": agreed.similar_regions(session, critique, why, closed) if why and tells else [],
        "class_id": narrowed.class_id,
        "kind": narrowed.kind,
        "chosen_class": next((each for each in project.classes if each.id == narrowed.class_id), None),
        "speaker": speaker_of(work.held.lvlm),
        "seconds_left": remaining * SECONDS_A_CASE,
    }


@router.get("/{critique_id}/differences")
def show_differences(
    request: Request, session: DBSession, reader: Clinician, project: CurrentProject, critique: CurrentCritique
) -> Response:
    """The line that Review and Realign show by themselves, and the page behind it; closed during a blind reading."""
    blind_left = blind.blind_cases_left(session, critique, reader)
    told: dict[str, Any] = {
        "project": project,
        "critique": critique,
        "blind_left": blind_left,
        "found": None if blind_left else agreed.differences_of(session, critique),
    }
    if request.headers.get("HX-Request") == "true":
        return page(request, "review/differences.html", "line", **told)
    return page(request, "review/differences.html", step=Step.REVIEW, loop=loop_state(session, project), **told)


@router.get("/{critique_id}/reliability")
def show_reliability(
    request: Request, session: DBSession, reader: Clinician, project: CurrentProject, critique: CurrentCritique
) -> Response:
    left = blind.blind_cases_left(session, critique, reader)
    if left:
        raise HTTPException(409, blind.still_open(left))
    run, found = reliability.calibrations(session, critique)
    return page(
        request,
        "review/reliability.html",
        project=project,
        step=Step.REVIEW,
        loop=loop_state(session, project),
        critique=critique,
        parameters=CritiqueParameters.model_validate(critique.parameters),
        run=run,
        found=found,
        plot=reliability.plot(found) if found else None,
        newer=reliability.answers_given(session, critique.id) - found.answers if found else 0,
        speaker=speaker_in(session, critique),
    )


@router.post("/{critique_id}/reliability")
def compare_with_answers(
    session: DBSession, reader: Clinician, project: CurrentProject, critique: CurrentCritique
) -> Response:
    start_once(session, project.id, CalibrationParameters(critique_id=critique.id), reader.id)
    return RedirectResponse(f"/projects/{project.id}/review/{critique.id}/reliability", 303)


@router.post("/{critique_id}/answers")
def give_answer(
    request: Request,
    session: DBSession,
    reader: Clinician,
    project: CurrentProject,
    critique: CurrentCritique,
    cluster_id: Annotated[UUID, Form()],
    answer: GivenAnswer,
    note: Note = "",
    class_id: Annotated[UUID | None, Form()] = None,
    kind: Annotated[int | None, Form()] = None,
) -> Response:
    record_answer(session, critique, reader, cluster_id, answer, note)
    return next_screen(request, session, project, critique, reader, Narrowed(class_id, kind), None)


@router.post("/{critique_id}/undo")
def undo(
    request: Request,
    session: DBSession,
    reader: Clinician,
    project: CurrentProject,
    critique: CurrentCritique,
    class_id: Annotated[UUID | None, Form()] = None,
    kind: Annotated[int | None, Form()] = None,
) -> Response:
    withdrawn = take_back(session, critique, reader)
    if withdrawn is not None and not withdrawn.blind:
        take_turns(session, critique)
        take_this(session, critique, reader, withdrawn.cluster_id)
    shown = withdrawn.cluster_id if withdrawn else None
    return next_screen(request, session, project, critique, reader, Narrowed(class_id, kind), shown)


@router.post("/{critique_id}/at-work")
def stay_at_work(session: DBSession, reader: Clinician, critique: CurrentCritique) -> Response:
    """The reader's page sends it while they move: their case stays theirs."""
    renew(session, critique, reader)
    return Response(status_code=204)


def next_screen(
    request: Request,
    session: Session,
    project: Project,
    critique: Run,
    reader: User,
    narrowed: Narrowed,
    cluster_id: UUID | None,
) -> Response:
    if request.headers.get("HX-Request") != "true":
        chosen = {"class_id": narrowed.class_id, "kind": narrowed.kind}
        query = urlencode({name: value for name, value in chosen.items() if value is not None})
        return RedirectResponse(f"/projects/{project.id}/review{'?' if query else ''}{query}", 303)
    context = case_context(session, project, critique, reader, narrowed, cluster_id, writing=session)
    return page(request, "review/review.html", "case", **context)
