"""Page 9, New project: pictures and a checkpoint are sent, looked at, and become a project once they are sound."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, HTTPException, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config import settings
from app.db import reading, transaction
from app.deps import SAFE_METHODS, DBSession, Engineer, at_least_engineer, get_user, page
from app.drafts import actions, forms
from app.drafts.forms import Draft, Mistakes, Sent, Typed
from app.drafts.problems import as_csv
from app.languages.catalogue import gettext
from app.models import Project, User
from app.models.preview import EVERY_PROBLEM
from app.pictures.cache import headers
from app.pictures.routes import blob
from app.projects.actions import ProjectError
from app.projects.lvlm import LVLMNameError
from app.statistics import wilson
from app.storage import storage

router = APIRouter(prefix="/projects/new")
SentFile = Annotated[UploadFile | None, File()]


def get_sender(request: Request) -> User:
    """In a session of its own: what is sent is stored before the first write, which holds SQLite's only lock."""
    with reading() as session:
        return at_least_engineer(get_user(request, session))


Sender = Annotated[User, Depends(get_sender)]


def find_draft(session: Session, user: User, draft_id: UUID, *, lock: bool) -> Project:
    """Raises 404 where it is somebody else's, too: nobody learns what others are about to bring."""
    kept = session.get(Project, draft_id, with_for_update=lock)
    if kept is None or kept.draft is None or kept.created_by_id != user.id:
        raise HTTPException(
            404, gettext("There is no such draft: its project was made, or it was removed after a day.")
        )
    return kept


def get_draft(request: Request, session: DBSession, user: Engineer, draft_id: UUID) -> Project:
    return find_draft(session, user, draft_id, lock=request.method not in SAFE_METHODS)


CurrentDraft = Annotated[Project, Depends(get_draft)]


@router.get("")
def ask_for_files(request: Request, session: DBSession, user: Engineer) -> Response:
    mine = select(Project).where(Project.draft.is_not(None), Project.created_by_id == user.id)
    begun = session.scalars(mine.order_by(Project.created_at.desc())).all()
    return form_page(request, Draft(lvlm=settings().lvlm), begun=[(each, actions.draft_in(each)) for each in begun])


def form_page(
    request: Request,
    draft: Draft,
    draft_id: UUID | None = None,
    mistakes: Mistakes | None = None,
    begun: list[tuple[Project, Draft]] | None = None,
) -> Response:
    return page(
        request,
        "drafts/new.html",
        status=422 if mistakes else 200,
        draft=draft,
        draft_id=draft_id,
        mistakes=mistakes or {},
        begun=begun or [],
        architectures=forms.ARCHITECTURES,
        most_bytes=settings().max_upload_bytes,
    )


@router.post("")
def send(request: Request, user: Sender, typed: Typed, dataset: SentFile = None, weights: SentFile = None) -> Response:
    mistakes = mistakes_of(typed, dataset, weights, Draft())
    if mistakes:
        return form_page(request, typed, mistakes=mistakes)
    draft = with_files(typed, dataset, weights, Draft())
    with forgotten_on_error(draft, Draft()), transaction() as session:
        kept = actions.start_draft(session, draft, user.id)
    return RedirectResponse(f"/projects/new/{kept.id}", 303)


@router.post("/{draft_id}")
def send_again(
    request: Request,
    user: Sender,
    draft_id: UUID,
    typed: Typed,
    dataset: SentFile = None,
    weights: SentFile = None,
) -> Response:
    """What was sent before stays where no other file is chosen."""
    with reading() as session:
        before = actions.draft_in(find_draft(session, user, draft_id, lock=False))
    mistakes = mistakes_of(typed, dataset, weights, before)
    if mistakes:
        return form_page(
            request, typed.model_copy(update={"dataset": before.dataset, "weights": before.weights}), draft_id, mistakes
        )
    draft = with_files(typed, dataset, weights, before)
    with forgotten_on_error(draft, before), transaction() as session:
        actions.change_draft(session, find_draft(session, user, draft_id, lock=True), draft)
    return RedirectResponse(f"/projects/new/{draft_id}", 303)


def mistakes_of(typed: Draft, dataset: UploadFile | None, weights: UploadFile | None, before: Draft) -> Mistakes:
    has_dataset, has_weights = is_file(dataset) or before.dataset, is_file(weights) or before.weights
    with reading() as session:
        found = forms.mistakes_in(session, typed, has_dataset=bool(has_dataset), has_weights=bool(has_weights))
    if dataset is not None and is_file(dataset) and (told := forms.no_zip(dataset.file)):
        found["dataset"] = told
    if weights is not None and is_file(weights) and (told := forms.no_safetensors(weights.file)):
        found["weights"] = told
    return found


def is_file(sent: UploadFile | None) -> bool:
    """A form sends a nameless, empty file where none was chosen."""
    return sent is not None and bool(sent.filename)


def with_files(typed: Draft, dataset: UploadFile | None, weights: UploadFile | None, before: Draft) -> Draft:
    """Copied piece by piece from the file in which the request was kept, so a large one fills no memory."""
    return typed.model_copy(
        update={
            "dataset": stored(dataset) if is_file(dataset) else before.dataset,
            "weights": stored(weights) if is_file(weights) else before.weights,
        }
    )


def stored(sent: UploadFile | None) -> Sent:
    assert sent is not None
    assert sent.filename
    return Sent(filename=sent.filename[-200:], blob=storage().put_upload(sent.file), bytes=sent.size or 0)


@contextmanager
def forgotten_on_error(draft: Draft, before: Draft) -> Generator[None]:
    """Files that no row came to name would lie in the store for ever."""
    try:
        yield
    except BaseException:
        for name in actions.files_of(draft) - actions.files_of(before):
            storage().forget(name)
        raise


@router.get("/{draft_id}")
def show_preview(request: Request, session: DBSession, kept: CurrentDraft) -> Response:
    return preview_page(request, session, kept)


def preview_page(request: Request, session: Session, kept: Project, error: str = "", status: int = 200) -> Response:
    run = actions.newest_look(session, kept)
    seen = actions.preview_in(run)
    tried = seen.checkpoint if seen else None
    return page(
        request,
        "drafts/preview.html",
        status=status,
        kept=kept,
        draft=actions.draft_in(kept),
        run=run,
        seen=seen,
        right=wilson(tried.right, tried.tried) if tried else None,
        error=error,
    )


@router.get("/{draft_id}/change")
def change(request: Request, kept: CurrentDraft) -> Response:
    return form_page(request, actions.draft_in(kept), kept.id)


@router.get("/{draft_id}/problems.csv")
def download_problems(session: DBSession, kept: CurrentDraft) -> Response:
    seen = actions.preview_in(actions.newest_look(session, kept))
    if seen is None or not seen.problem_list:
        raise HTTPException(404, gettext("No problems were found, so there is no list of them."))
    attached = {"Content-Disposition": 'attachment; filename="problems.csv"'}
    every = EVERY_PROBLEM.validate_json(blob(seen.problem_list))
    return Response(as_csv(every), media_type="text/csv; charset=utf-8", headers=attached)


@router.get("/{draft_id}/pictures/{number}")
def show_picture(session: DBSession, kept: CurrentDraft, number: int) -> Response:
    seen = actions.preview_in(actions.newest_look(session, kept))
    if seen is None or not 0 <= number < len(seen.pictures):
        raise HTTPException(404, gettext("The preview has no such picture."))
    name = seen.pictures[number].blob
    return Response(blob(name), media_type="image/png", headers=headers(name))


@router.post("/{draft_id}/create")
def create(
    request: Request, session: DBSession, kept: CurrentDraft, group_by: Annotated[tuple[str, ...], Form()] = ()
) -> Response:
    try:
        project = actions.make_project(session, kept, group_by)
    except (actions.DraftError, ProjectError, LVLMNameError) as error:
        return preview_page(request, session, kept, f"{error} {gettext('What you sent is kept.')}", 409)
    return RedirectResponse(f"/projects/{project.id}/behaviour", 303)


@router.post("/{draft_id}/discard")
def discard(session: DBSession, kept: CurrentDraft) -> Response:
    actions.remove_draft(session, kept)
    return RedirectResponse("/", 303)
