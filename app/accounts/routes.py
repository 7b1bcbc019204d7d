import secrets
from dataclasses import replace
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actions import (
    LINK_MINUTES,
    AccountError,
    create_token,
    find_by_password,
    note_sign_in,
    revoke_token,
    set_password,
    sign_out_everywhere,
    use_link,
)
from app.accounts.attempts import attempts
from app.accounts.confirming import refusal
from app.accounts.cookies import VISITOR, end_session, set_cookie, start_session
from app.accounts.keys import NAMES, KeyChoiceError, Part, choose_keys, keys_of, reset_keys
from app.audit.actions import note_refusal
from app.config import settings
from app.db import now, transaction
from app.deps import DBSession, SignedIn, SignInNeededError, get_user, page
from app.languages.catalogue import LANGUAGES, gettext, ngettext, read_in
from app.models import Token, User

router = APIRouter()
LONG = 200


@router.get("/sign-in")
def show_sign_in(
    request: Request,
    session: DBSession,
    next: str = "/",  # noqa: A002  the address says next
    language: Annotated[str, Query(max_length=LONG)] = "",
) -> Response:
    if is_signed_in(request, session):
        return RedirectResponse(own_address(next), 303)
    read_in(language)
    return sign_in_page(request, next, chosen=language)


def sign_in_page(
    request: Request, next_page: str, error: str = "", name: str = "", status: int = 200, chosen: str = ""
) -> Response:
    """``chosen``: the language that was clicked on the page, which the account keeps once somebody has signed in."""
    visitor = request.cookies.get(VISITOR) or secrets.token_urlsafe(16)
    request.scope["visitor"] = visitor  # the form's CSRF token is made from it before the cookie is set
    response = page(
        request,
        "accounts/sign_in.html",
        status=status,
        next_page=own_address(next_page),
        error=error,
        name=name,
        chosen=chosen,
    )
    set_cookie(response, VISITOR, visitor)
    return response


@router.post("/sign-in")
def sign_in(
    request: Request,
    session: DBSession,
    name: Annotated[str, Form(max_length=LONG)],
    password: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/",  # noqa: A002
    language: Annotated[str, Form(max_length=LONG)] = "",
) -> Response:
    read_in(language)
    keys = (f"address {request.client.host if request.client else ''}", f"name {name.strip().lower()}")
    wait = attempts.wait(keys, settings().sign_in_attempts)
    if wait:
        minutes = max(1, round(wait / 60))
        error = ngettext(
            "Too many tries. Wait a minute, then try again.",
            "Too many tries. Wait %(minutes)s minutes, then try again.",
            minutes,
            minutes=minutes,
        )
        response = sign_in_page(request, next, error, name, 429, language)
        response.headers["Retry-After"] = str(round(wait))
        return response
    user = find_by_password(session, name, password)
    if user is None:
        attempts.note_failure(keys)
        note_refusal(session, "sign-in", name)
        error = gettext("That name and password don't belong together.")
        return sign_in_page(request, next, error, name, 401, language)
    attempts.forget(keys[1])
    keep_language(user, language)
    return signed_in(session, user, next)


@router.get("/sign-in/link")
def sign_in_by_link(request: Request, token: str) -> Response:
    """A GET that changes something: the link is printed in a terminal to be opened. It works once."""
    with transaction() as session:
        try:
            return signed_in(session, use_link(session, token), "/")
        except AccountError as error:
            note_refusal(session, "sign-in by link", "")
            if is_signed_in(request, session):  # the same link, clicked twice
                return RedirectResponse("/", 303)
            once = gettext(
                "A link works once, within %(minutes)s minutes. Sign in with your password instead.",
                minutes=LINK_MINUTES,
            )
            return sign_in_page(request, "/", f"{error} {once}", status=401)


def signed_in(session: Session, user: User, next_page: str) -> Response:
    note_sign_in(session, user)
    response = RedirectResponse(own_address(next_page), 303)
    start_session(response, user)
    return response


def is_signed_in(request: Request, session: Session) -> bool:
    try:
        get_user(request, session)
    except SignInNeededError:
        return False
    return True


def own_address(address: str) -> str:
    """The address where it leads to this server, else ``/``: a link to us must not end on another site."""
    parts = urlsplit(address)
    inside = not parts.scheme and not parts.netloc and address.startswith("/") and "\\" not in address
    return address if inside and not address.startswith("//") and address.isprintable() else "/"


def keep_language(user: User, language: str) -> None:
    """A language that we do not have changes nothing."""
    if language in LANGUAGES:
        user.language = language


@router.post("/account/language")
def choose_language(
    user: SignedIn,
    language: Annotated[str, Form(max_length=LONG)],
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    keep_language(user, language)
    return RedirectResponse(own_address(next), 303)


@router.post("/sign-out")
def sign_out() -> Response:
    response = RedirectResponse("/sign-in", 303)
    end_session(response)
    return response


@router.get("/account")
def show_account(request: Request, session: DBSession, user: SignedIn) -> Response:
    return account_page(request, session, user)


def account_page(  # what the page can be told besides
    request: Request,
    session: Session,
    user: User,
    *,
    error: str = "",
    done: str = "",
    secret: str = "",
    status: int = 200,
) -> Response:
    tokens = session.scalars(
        select(Token).where(Token.user_id == user.id, Token.revoked_at.is_(None)).order_by(Token.created_at)
    ).all()
    return page(
        request,
        "accounts/account.html",
        status=status,
        tokens=tokens,
        error=error,
        done=done,
        secret=secret,
        key_parts=tuple(Part),
    )


@router.post("/account/tour", status_code=204)
def end_tour(user: SignedIn) -> None:
    """Read or skipped: it is not shown again. A script asks for it; the page stays."""
    user.toured_at = user.toured_at or now()


@router.post("/account/password")
def change_password(
    request: Request,
    session: DBSession,
    user: SignedIn,
    password: Annotated[str, Form()],
    new_password: Annotated[str, Form()],
) -> Response:
    if told := refusal(session, user, password, "change of password"):
        return account_page(request, session, user, error=f"{told} {gettext('Nothing was changed.')}", status=422)
    try:
        set_password(session, user, new_password)
    except AccountError as error:
        return account_page(request, session, user, error=f"{error} {gettext('Nothing was changed.')}", status=422)
    response = RedirectResponse("/account", 303)
    start_session(response, user)  # every other browser is signed out, this one goes on
    return response


@router.post("/account/keys")
def change_keys(
    request: Request,
    session: DBSession,
    user: SignedIn,
    name: Annotated[list[str], Form(max_length=len(NAMES))],
    key: Annotated[list[str], Form(max_length=len(NAMES))],
    on: Annotated[bool, Form()] = False,
    reset: Annotated[bool, Form()] = False,
) -> Response:
    if len(name) != len(key):
        raise HTTPException(422, gettext("Each shortcut needs one key. Nothing was changed."))
    error = ""
    try:
        if reset:
            reset_keys(user)
        else:
            choose_keys(user, zip(name, key, strict=True), on=on)
    except KeyChoiceError as refused:
        error = f"{refused} {gettext('Nothing was changed.')}"
    if request.headers.get("HX-Request") == "true":
        return keys_form(request, user, dict(zip(name, key, strict=True)), error)
    if error:
        return account_page(request, session, user, error=error, status=422)
    return RedirectResponse("/account#keys", 303)


def keys_form(request: Request, user: User, typed: dict[str, str], error: str) -> Response:
    """The form alone, with the parts of the list that it was sent with; what was refused stays in its fields."""
    request.state.user = replace(request.state.user, keys=keys_of(user))  # where templates find them
    return page(
        request,
        "accounts/keys.html",
        status=422 if error else 200,
        key_parts=list(dict.fromkeys(NAMES[name].part for name in typed if name in NAMES)),
        key_error=error,
        typed=typed if error else {},
        saved=not error,
    )


@router.post("/account/sign-out-everywhere")
def leave_everywhere(session: DBSession, user: SignedIn) -> Response:
    sign_out_everywhere(session, user)
    return sign_out()


@router.post("/account/tokens")
def make_token(
    request: Request, session: DBSession, user: SignedIn, name: Annotated[str, Form(min_length=1, max_length=LONG)]
) -> Response:
    _, secret = create_token(session, user, name)
    return account_page(request, session, user, secret=secret)


@router.post("/account/tokens/{token_id}/revoke")
def take_token_back(session: DBSession, user: SignedIn, token_id: UUID) -> Response:
    token = session.get(Token, token_id)
    if token is None or token.user_id != user.id:
        raise HTTPException(404, gettext("You have no such token."))
    revoke_token(session, token)
    return RedirectResponse("/account", 303)
