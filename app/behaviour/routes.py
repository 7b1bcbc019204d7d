"""Page 2, Behaviour: what the model looks at, in words, with the pictures behind every figure."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from app.behaviour import pictures, queries
from app.behaviour.forms import AnalysisForm
from app.deps import Clinician, CurrentProject, DBSession, PageNumber, page
from app.models import Checkpoint, Project, Report, Run
from app.models.figures import Figures
from app.projects.lvlm import speaker_in
from app.projects.queries import Step, loop_state
from app.projects.work import unfinished_run
from app.runs.actions import start_run

router = APIRouter(prefix="/projects/{project_id}/behaviour")


@router.get("")
def show_behaviour(
    request: Request, session: DBSession, project: CurrentProject, analysis: UUID | None = None
) -> Response:
    analyses = queries.analyses_of(session, project)
    shown = queries.chosen_analysis(analyses, analysis)
    if shown is None:
        return show_start(request, session, project, unfinished_run(session, project, Step.UNDERSTAND))
    parameters = queries.parameters_of(shown)
    classes = queries.behaviour_by_class(session, project, shown)
    return page(
        request,
        "behaviour/behaviour.html",
        project=project,
        step=Step.UNDERSTAND,
        loop=loop_state(session, project),
        analysis=shown,
        parameters=parameters,
        explained=sum(each.evidence.images for each in classes),
        checkpoint=session.get(Checkpoint, parameters.checkpoint_id),
        classes=classes,
        sampling=queries.sampling_of(shown),
        unknown_attributes=queries.unknown_attributes(session, project),
        measured=queries.newest_measured(session, parameters.checkpoint_id),
        speaker=speaker_in(shown),
        run=unfinished_run(session, project, Step.UNDERSTAND),
        others=[run for run in analyses if run is not shown and queries.chosen_analysis([run], None)],
    )


@router.get("/new")
def ask_for_analysis(request: Request, session: DBSession, project: CurrentProject) -> Response:
    return show_start(request, session, project, None)


def show_start(request: Request, session: DBSession, project: Project, run: Run | None) -> Response:
    return page(
        request,
        "behaviour/start.html",
        project=project,
        step=Step.UNDERSTAND,
        loop=loop_state(session, project),
        checkpoints=queries.checkpoints_of(session, project),
        run=run,
    )


@router.post("")
def start_analysis(
    session: DBSession, user: Clinician, project: CurrentProject, asked: Annotated[AnalysisForm, Form()]
) -> Response:
    checkpoint = session.get(Checkpoint, asked.checkpoint_id)
    if checkpoint is None or checkpoint.project_id != project.id:
        raise HTTPException(404, "This project has no such checkpoint. Nothing was started.")
    start_run(session, project.id, asked, user.id)
    return RedirectResponse(f"/projects/{project.id}/behaviour", 303)


@router.get("/pictures")
def show_pictures(
    request: Request,
    session: DBSession,
    project: CurrentProject,
    analysis: UUID,
    class_id: UUID,
    words: str = "",
    place: str = "",
    sentence: int | None = None,
    part: int | None = None,
    number: PageNumber = 1,
) -> Response:
    run = session.get(Run, analysis)
    target = next((target for target in project.classes if target.id == class_id), None)
    if run is None or run.project_id != project.id or target is None:
        raise HTTPException(404, "This project has no such explanation.")
    title, ids = f"Pictures of {target.name}", None
    if sentence is not None and part is not None:
        found = find_figure(run, class_id, sentence, part)
        title, ids = f"“{found[0].strip()}”", found[1]
    wanted = pictures.Filter(class_id, words, place, ids)
    return page(
        request,
        "behaviour/pictures.html",
        project=project,
        step=Step.UNDERSTAND,
        loop=loop_state(session, project),
        title=title,
        region=words or place,
        target=target,
        analysis=run,
        shown=pictures.explanations(session, run.id, wanted, number),
        names={target.id: target.name for target in project.classes},
        speaker=speaker_in(run) if words else None,
        wanted=request.url.remove_query_params("page").query,
    )


def find_figure(run: Run, class_id: UUID, sentence: int, part: int) -> tuple[str, tuple[UUID, ...]]:
    found = pictures.sentence_figure(run, class_id, sentence, part)
    if found is None:
        raise HTTPException(404, "This sentence has no such figure. It may belong to an older explanation.")
    return found


@router.get("/errors")
def show_errors(
    request: Request,
    session: DBSession,
    project: CurrentProject,
    report: UUID,
    group: str,
    number: PageNumber = 1,
) -> Response:
    measured = session.get(Report, report)
    if measured is None or measured.project_id != project.id:
        raise HTTPException(404, "This project has no such report.")
    found = next((each for each in Figures.model_validate(measured.figures).groups if each.name == group), None)
    target = next((each for each in project.classes if found and each.name == found.class_name), None)
    if found is None or target is None:
        raise HTTPException(404, "This report has no such group.")
    return page(
        request,
        "behaviour/errors.html",
        project=project,
        step=Step.UNDERSTAND,
        loop=loop_state(session, project),
        report=measured,
        group=found,
        target=target,
        shown=pictures.wrong_answers(session, measured, found, target.id, number),
        names={target.id: target.name for target in project.classes},
    )
