"""What a person is told when something goes wrong: what went wrong, what was kept, what to do.

A page for a browser, a fragment for htmx, problem+json (RFC 9457) for the API.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.deps import SAFE_METHODS, SignInNeededError, StalePageError, page
from app.languages.catalogue import gettext, msgid
from app.languages.mistakes import in_words

API = "/api/"
PROBLEM = "application/problem+json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    status: int
    what: str
    kept: str = ""
    todo: str = ""
    details: str = ""


WHAT: dict[int, str] = {
    404: msgid("There is nothing at this address."),
    405: msgid("This address can't be used that way."),
    413: msgid("That is more than this server takes at once."),
}
WAY_OUT: dict[int, str] = {
    401: msgid("Sign in and try again."),
    403: msgid("Ask someone with the right role, or an administrator."),
    404: msgid("Go back, or start from the list of projects."),
    405: msgid("Go back and use the buttons of the page."),
    413: msgid("Send a smaller file, or ask an administrator to raise the limit."),
    429: msgid("Wait a little and try again."),
}


def add_error_pages(app: FastAPI) -> None:
    app.add_exception_handler(SignInNeededError, ask_to_sign_in)
    app.add_exception_handler(HTTPException, tell_refusal)
    app.add_exception_handler(RequestValidationError, tell_mistakes)
    app.add_exception_handler(Exception, tell_failure)


def ask_to_sign_in(request: Request, error: Exception) -> Response:
    del error
    if request.url.path.startswith(API):
        return tell(request, Problem(401, gettext("This needs a token that stands."), todo=gettext(WAY_OUT[401])))
    if from_htmx(request):
        # The page stays, with whatever stands in its fields; page.js says so and leads to the sign-in page and back.
        return Response(status_code=401, headers={"HX-Reswap": "none"})
    back = page_of(request)
    return RedirectResponse("/sign-in" + (f"?next={quote(back, safe='')}" if back != "/" else ""), status_code=303)


def page_of(request: Request) -> str:
    """The page that was asked for or, after a change, the one it was made on: a link can't repeat the change."""
    try:
        address = urlsplit(str(request.url) if request.method in SAFE_METHODS else request.headers.get("referer", ""))
    except ValueError:  # a browser sends none such
        return "/"
    path = "/" + address.path.lstrip("/")  # two strokes would lead to another site
    return f"{path}?{address.query}" if address.query else path


def tell_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    what = error.detail if isinstance(error.detail, str) else ""
    if not what or what == HTTPStatus(status).phrase or not what.endswith((".", "!", "?")):
        what = (
            gettext(WHAT[status])
            if status in WHAT
            else gettext("The server answered: %(words)s.", words=what or HTTPStatus(status).phrase)
        )
    kept = "" if request.method in SAFE_METHODS else gettext("Nothing was changed.")
    told = status in WAY_OUT and not isinstance(error, StalePageError)
    response = tell(request, Problem(status, what, kept, gettext(WAY_OUT[status]) if told else ""))
    response.headers.update(error.headers or {})
    return response


def tell_mistakes(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if not request.url.path.startswith(API) and any(each["loc"][:1] == ("path",) for each in error.errors()):
        return tell(request, Problem(404, gettext("There is nothing at this address."), todo=gettext(WAY_OUT[404])))
    mistakes = sentences(error.errors())
    return tell(
        request,
        Problem(
            422,
            gettext("Something in what was sent can't be read."),
            gettext("Nothing was changed."),
            " ".join(mistakes),
        ),
        errors=mistakes,
    )


def tell_failure(request: Request, error: Exception) -> Response:
    number = uuid4().hex[:8]
    log.error("Failure %s at %s %s", number, request.method, request.url.path, exc_info=error)
    return tell(
        request,
        Problem(
            500,
            gettext("Something went wrong in the server, not in what you did."),
            gettext("Nothing was half saved: what stood before still stands."),
            gettext(
                "Try again. If it stays so, tell your administrator the number %(number)s; the server's log "
                "explains it.",
                number=number,
            ),
        ),
    )


def tell(request: Request, problem: Problem, errors: Sequence[str] = ()) -> Response:
    if request.url.path.startswith(API):
        return JSONResponse(
            {
                "type": "about:blank",
                "title": HTTPStatus(problem.status).phrase,
                "status": problem.status,
                "detail": " ".join(part for part in (problem.what, problem.kept, problem.todo) if part),
                "errors": list(errors),
            },
            status_code=problem.status,
            media_type=PROBLEM,
        )
    block = "fragment" if from_htmx(request) else None
    return page(
        request,
        "errors/error.html",
        block,
        problem.status,
        what=problem.what,
        kept=problem.kept,
        todo=problem.todo,
        details=problem.details,
        back="" if request.method in SAFE_METHODS else page_of(request),
    )


def from_htmx(request: Request) -> bool:
    return request.headers.get("HX-Request") == "true"


def sentences(errors: Sequence[Any]) -> list[str]:
    """``count: Input should be greater than or equal to 1.`` for each mistake that pydantic found."""
    fields = [".".join(str(part) for part in each["loc"][1:]) or gettext("the request") for each in errors]
    return [f"{field}: {in_words(each)}." for field, each in zip(fields, errors, strict=True)]


class LargeBodies:
    """ASGI middleware: the framework refuses too large a body with two bare words; ours say what to do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        replaced = False

        async def send_page(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and is_bare_refusal(message):
                replaced = True
                answer = tell(
                    Request(scope),
                    Problem(413, gettext(WHAT[413]), gettext("Nothing was changed."), gettext(WAY_OUT[413])),
                )
                await answer(scope, receive, send)
            elif not replaced:
                await send(message)

        await self.app(scope, receive, send_page)


def is_bare_refusal(message: Message) -> bool:
    kind = Headers(raw=message["headers"]).get("content-type", "")
    return message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and kind.startswith("text/plain")
