"""In which language a request is read: the account's, else what the browser asks for, else English."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.languages.catalogue import ENGLISH, LANGUAGES, reading_in

API = "/api/"


def asked_for(header: str) -> str:
    """The first of our languages in an ``Accept-Language``, by the weights it gives; English where there is none."""
    wishes = [part.partition(";") for part in header.lower().split(",")]
    ranked = sorted(wishes, key=lambda wish: -weight(wish[2]))
    names = (name.strip().partition("-")[0] for name, _, rest in ranked if weight(rest) > 0)
    return next((name for name in names if name in LANGUAGES), ENGLISH)


def weight(parameters: str) -> float:
    """``q=0.8``; what can't be read counts as nothing."""
    key, _, value = parameters.strip().partition("=")
    if not key:
        return 1.0
    try:
        return float(value) if key.strip() == "q" else 0.0
    except ValueError:
        return 0.0


class Readers:
    """ASGI middleware: the browser's language, until the account has told another. Programs are answered in English."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        of_a_page = scope["type"] == "http" and not scope["path"].startswith(API)
        wanted = asked_for(Headers(scope=scope).get("accept-language", "")) if of_a_page else ENGLISH
        with reading_in(wanted):
            await self.app(scope, receive, send)
