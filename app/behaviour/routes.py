"""Page 2, Behaviour: what the model looks at, in words, with the pictures behind every figure."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from app.behaviour import pictures, queries
from app.behaviour.evidence import Asked, Figure, figure_of, summary_of
from app.behaviour.forms import AnalysisForm
from app.deps import Clinician, CurrentProject, DBSession, PageNumber, page
from app.languages.catalogue import gettext
from app.models import Checkpoint, Project, Report, Run
from app.models.figures import Figures
from app.projects.lvlm import speaker_in
from app.projects.queries import Step, loop_state
from app.projects.work import unfinished_run
from app.runs.actions import start_once
from app.runs.queries import WITHOUT_RESULT

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
    told = queries.analysed(session, shown, parameters)
    classes = queries.behaviour_by_class(session, project, told.summaries)
    loop = loop_state(session, project)
    earlier = [run for run in analyses if run is not shown and queries.chosen_analysis([run], None)]
    return page(
        request,
        "behaviour/behaviour.html",
        project=project,
        step=Step.UNDERSTAND,
        loop=loop,
        analysis=shown,
        parameters=parameters,
        clustering=told.clustering,
        explained=sum(each.told.images + each.told.without_evidence for each in classes),
        checkpoint=session.get(Checkpoint, parameters.checkpoint_id),
        classes=classes,
        sampling=told.sampling,
        unknown_attributes=queries.unknown_attributes(session, project),
        measured=queries.newest_measured(session, parameters.checkpoint_id),
        speaker=told.speaker,
        run=unfinished_run(session, project, Step.UNDERSTAND),
        others=[(run, loop.rounds[queries.parameters_of(run).checkpoint_id]) for run in earlier],
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
        raise HTTPException(404, gettext("This project has no such checkpoint. Nothing was started."))
    start_once(session, project.id, asked, user.id)
    return RedirectResponse(f"/projects/{project.id}/behaviour", 303)


@router.get("/pictures")
def show_pictures(
    request: Request,
    session: DBSession,
    project: CurrentProject,
    analysis: UUID,
    class_id: UUID,
    asked: Annotated[Asked, Depends()],
    number: PageNumber = 1,
) -> Response:
    run = session.get(Run, analysis, options=WITHOUT_RESULT)
    target = next((target for target in project.classes if target.id == class_id), None)
    if run is None or run.project_id != project.id or target is None:
        raise HTTPException(404, gettext("This project has no such explanation."))
    found = find_figure(session, run, class_id, asked)
    if found is None:
        shown = pictures.of_class(session, run.id, class_id, number)
    else:
        shown = pictures.behind(session, found.evidence, number)
    return page(
        request,
        "behaviour/pictures.html",
        project=project,
        step=Step.UNDERSTAND,
        loop=loop_state(session, project),
        figure=found,
        target=target,
        analysis=run,
        shown=shown,
        names={target.id: target.name for target in project.classes},
        speaker=speaker_in(session, run) if found and found.by_lvlm else None,
        wanted=request.url.remove_query_params("page").query,
    )


@router.get("/pictures/{explanation_id}")
def show_picture(request: Request, session: DBSession, project: CurrentProject, explanation_id: UUID) -> Response:
    explanation = pictures.with_clusters(session, explanation_id)
    run = session.get(Run, explanation.run_id, options=WITHOUT_RESULT) if explanation else None
    if explanation is None or run is None or run.project_id != project.id:
        raise HTTPException(404, gettext("This project has no such explanation."))
    return page(
        request,
        "behaviour/picture.html",
        project=project,
        step=Step.UNDERSTAND,
        loop=loop_state(session, project),
        explanation=explanation,
        analysis=run,
        names={target.id: target.name for target in project.classes},
        speaker=speaker_in(session, run) if any(each.words for each in explanation.clusters) else None,
        came_from=request.url.query,
    )


def find_figure(session: Session, run: Run, class_id: UUID, asked: Asked) -> Figure | None:
    if not asked.for_a_figure:
        return None
    found = figure_of(summary_of(session, run, class_id), asked)
    if found is None:
        raise HTTPException(404, gettext("This explanation has no such figure. The address may belong to another one."))
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
        raise HTTPException(404, gettext("This project has no such report."))
    found = next((each for each in Figures.model_validate(measured.figures).groups if each.name == group), None)
    target = next((each for each in project.classes if found and each.name == found.class_name), None)
    if found is None or target is None:
        raise HTTPException(404, gettext("This report has no such group."))
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
        wanted=request.url.remove_query_params("page").query,
        came_from=request.url.query,
    )


@router.get("/errors/{prediction_id}")
def show_error(request: Request, session: DBSession, project: CurrentProject, prediction_id: UUID) -> Response:
    """One answer, wrong or not, with its picture large; the query is that of the list it is looked at from."""
    found = pictures.answer(session, project, prediction_id)
    if found is None:
        raise HTTPException(404, gettext("This project has no such answer."))
    return page(
        request,
        "behaviour/error.html",
        project=project,
        step=Step.UNDERSTAND,
        loop=loop_state(session, project),
        prediction=found.prediction,
        checkpoint=found.checkpoint,
        explanation_id=found.explanation_id,
        names={target.id: target.name for target in project.classes},
        came_from=request.url.query,
    )
