"""What routes ask for: a session, who is signed in, the project of the address."""

import hmac
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, HTTPException, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from starlette.datastructures import UploadFile

from app.accounts.cookies import csrf_token, read_session
from app.accounts.keys import Keys, keys_of
from app.audit.acting import Actor, become
from app.db import reading, transaction
from app.languages.catalogue import gettext, read_in
from app.models import ActorKind, Kind, Project, Role, User
from app.templating import page, templates

__all__ = [
    "Admin",
    "Clinician",
    "CurrentProject",
    "DBSession",
    "Engineer",
    "PageNumber",
    "SignedIn",
    "check_csrf",
    "check_text",
    "find_project",
    "page",
    "refuse_to_run",
    "templates",
]

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Viewer:
    """Who looks at the page. The row itself can't be read any more when an error page is drawn after a rollback."""

    name: str
    display_name: str
    role: Role
    is_new: bool  # has not been through the tour
    keys: Keys


class SignInNeededError(Exception):
    """Nobody is signed in: a page leads to the sign-in page and from there back."""


class StalePageError(HTTPException):
    """The page belongs to another session; the way out is said, and no role would help."""

    def __init__(self) -> None:
        super().__init__(
            403,
            gettext(
                "This page was opened before you signed in, or in another browser. "
                "Load it again and repeat what you did."
            ),
        )


def get_session(request: Request) -> Generator[Session]:
    """One transaction a request, committed before the answer is sent; a GET only reads and waits for no writer."""
    with reading() if request.method in SAFE_METHODS else transaction() as session:
        yield session


DBSession = Annotated[Session, Depends(get_session, scope="function")]


def get_user(request: Request, session: DBSession) -> User:
    cookie = read_session(request)
    user = session.get(User, cookie.user_id) if cookie else None
    if cookie is None or user is None or not user.active:
        raise SignInNeededError
    if not hmac.compare_digest(user.session_key, cookie.session_key):
        raise SignInNeededError
    is_new = user.toured_at is None
    request.state.user = Viewer(user.name, user.display_name, user.role, is_new, keys_of(user))
    become(Actor(ActorKind.PERSON, user.name, user.id))
    read_in(user.language)
    return user


SignedIn = Annotated[User, Depends(get_user)]
Clinician = SignedIn  # every role may do what a clinician may


def get_engineer(user: SignedIn) -> User:
    return at_least_engineer(user)


def at_least_engineer(user: User) -> User:
    if user.role is Role.CLINICIAN:
        raise HTTPException(
            403,
            gettext(
                "Data sets, checkpoints and measuring are the engineers' part, and you are signed in as a clinician."
            ),
        )
    return user


def refuse_to_run(user: User, kind: Kind) -> None:
    """Raises 403 where such work is not the user's to start or to stop."""
    if not user.role.may_run(kind):
        at_least_engineer(user)


Engineer = Annotated[User, Depends(get_engineer)]


def get_admin(user: SignedIn) -> User:
    if user.role is not Role.ADMIN:
        raise HTTPException(403, gettext("This is the administrators’ part, and you are signed in with another role."))
    return user


Admin = Annotated[User, Depends(get_admin)]


def find_project(session: Session, project_id: UUID) -> Project:
    wanted = select(Project).where(Project.id == project_id, Project.draft.is_(None))
    project = session.scalars(wanted.options(joinedload(Project.classes))).unique().one_or_none()
    if project is None:
        raise HTTPException(404, gettext("There is no such project: it was removed, or the address is not complete."))
    return project


def get_project(session: DBSession, user: SignedIn, project_id: UUID) -> Project:
    del user  # asked for so that nobody learns which projects exist without signing in
    return find_project(session, project_id)


PageNumber = Annotated[int, Query(ge=1, le=10**6, alias="page")]
CurrentProject = Annotated[Project, Depends(get_project)]


async def check_text(request: Request) -> None:
    """Refuses text that a database can't hold, wherever in the request it stands: with a NUL, or half a character."""
    kind = request.headers.get("content-type", "")
    sent: list[Any] = [*request.query_params.multi_items()]
    if "form" in kind:
        sent += (await request.form()).multi_items()
    elif "json" in kind:
        with suppress(ValueError, RecursionError):  # what can't be read is told by whoever asked for it
            sent.append(await request.json())
    while sent:
        match sent.pop():
            case str(text) if not can_be_stored(text):
                raise HTTPException(
                    422, gettext("A text holds a character that can't be stored, such as NUL. Take it out.")
                )
            case list(values) | tuple(values):
                sent += values
            case dict(values):
                sent += values.items()
            case UploadFile(filename=str(name)):
                sent.append(name)


def can_be_stored(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


async def check_csrf(request: Request) -> None:
    """Refuses a change that doesn't come from one of our own pages: the token in a header (htmx) or in the form."""
    if request.method in SAFE_METHODS:
        return
    given = request.headers.get("X-CSRF-Token")
    if given is None:
        field = (await request.form()).get("csrf_token", "")
        given = field if isinstance(field, str) else ""
    expected = csrf_token(request)
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        if read_session(request) is None:  # the session ended while the page was open, and its token with it
            raise SignInNeededError
        raise StalePageError
