from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.deps import CurrentProject, DBSession, SignedIn, page
from app.projects.cards import cards
from app.projects.queries import loop_state
from app.projects.work import runs_of

router = APIRouter()


@router.get("/")
def show_projects(request: Request, session: DBSession, user: SignedIn) -> Response:
    del user
    return page(request, "projects/projects.html", cards=cards(session))


@router.get("/projects/{project_id}")
def open_project(session: DBSession, project: CurrentProject) -> Response:
    """Leads to where the loop stands."""
    return RedirectResponse(f"/projects/{project.id}/{loop_state(session, project).current.path}", 303)


@router.get("/projects/{project_id}/runs")
def show_runs(request: Request, session: DBSession, project: CurrentProject) -> Response:
    return page(
        request,
        "projects/runs.html",
        project=project,
        loop=loop_state(session, project),
        runs=runs_of(session, project),
    )
