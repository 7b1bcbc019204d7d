import asyncio
from collections.abc import AsyncIterable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.deps import Clinician, DBSession, find_project, page, refuse_to_run
from app.models import Run
from app.projects.queries import loop_state
from app.projects.rounds import round_of
from app.runs.actions import cancel_run
from app.runs.curves import curves_of
from app.runs.progress import STEPS, is_preview, result_url
from app.runs.queries import WITHOUT_RESULT, delivered_epoch, epochs_of, find_run, look_at

router = APIRouter(prefix="/runs")

LOOK_SECONDS, RETRY_MILLISECONDS = 1.0, 1000
SILENT = 10  # looks after which something is said all the same
LOOKS = 300  # then the browser connects again, and who is signed in is asked again


def get_run(session: DBSession, user: Clinician, run_id: UUID) -> Run:
    del user  # asked for so that nobody learns which runs exist without signing in
    return find_run(session, run_id, *WITHOUT_RESULT)


CurrentRun = Annotated[Run, Depends(get_run)]


@router.get("/{run_id}")
def show_run(request: Request, session: DBSession, run: CurrentRun) -> Response:
    if is_preview(run):  # a draft has no page of a project
        return RedirectResponse(result_url(run), 303)
    project = find_project(session, run.project_id)
    loop = loop_state(session, project)
    return page(
        request,
        "runs/run.html",
        run=run,
        project=project,
        loop=loop,
        round=round_of(session, run, loop.rounds),
        step=STEPS.get(run.kind),
        curves=curves_of(epochs_of(session, run), delivered_epoch(session, run)),
    )


@router.get("/{run_id}/progress")
def show_progress(request: Request, session: DBSession, run: CurrentRun) -> Response:
    """The fragment that is asked for again with every change, until the run is in its final state."""
    return page(
        request, "runs/progress.html", run=run, curves=curves_of(epochs_of(session, run), delivered_epoch(session, run))
    )


@router.get("/{run_id}/events", response_class=EventSourceResponse)
async def tell_changes(run: CurrentRun) -> AsyncIterable[ServerSentEvent]:
    """An event at once, with every change, and now and then, as what is left and who is silent changes with time alone.

    It says no more than that; the page then asks for the fragment.
    """
    known = None
    for count in range(LOOKS):
        seen = await run_in_threadpool(look_at, run.id)
        if seen != known or count % SILENT == 0:
            known = seen
            yield ServerSentEvent(raw_data="changed", retry=RETRY_MILLISECONDS)
        if seen is None or seen.state.is_final:
            return
        await asyncio.sleep(LOOK_SECONDS)


@router.post("/{run_id}/cancel")
def cancel(request: Request, session: DBSession, user: Clinician, run: CurrentRun) -> Response:
    refuse_to_run(user, run.kind)
    cancel_run(session, run)
    if request.headers.get("HX-Request") == "true":
        return show_progress(request, session, run)
    return RedirectResponse(f"/runs/{run.id}", 303)
