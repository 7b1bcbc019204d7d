"""Who is at work: every entry of the audit log names them.

A request, a run and the sweep say so where they begin. Where nobody said so, it is a command at the machine itself.
"""

import getpass
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from app.models.audit_entry import ActorKind


@dataclass(frozen=True)
class Actor:
    """``id``: of the user, also behind a token, or of the run."""

    kind: ActorKind
    name: str
    id: UUID | None = None
    token_id: UUID | None = None


@dataclass
class Acting:
    """Changed in place: a request's parts run in threads with a copy of its context, and they all must see it."""

    actor: Actor
    address: str = ""


_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)
VISITOR = Actor(ActorKind.VISITOR, "")
SWEEP = Actor(ActorKind.SWEEP, "sweep")


def of_run(run_id: UUID) -> Actor:
    return Actor(ActorKind.RUN, "run", run_id)


@contextmanager
def acting(actor: Actor, address: str = "") -> Generator[None]:
    token = _acting.set(Acting(actor, address))
    try:
        yield
    finally:
        _acting.reset(token)


def become(actor: Actor) -> None:
    """Says who a request turned out to be from; it means nothing elsewhere."""
    held = _acting.get()
    if held is not None:
        held.actor = actor


def who_acts() -> Actor:
    held = _acting.get()
    return held.actor if held is not None else Actor(ActorKind.COMMAND, name_at_the_machine())


def address() -> str:
    """Where the request comes from, as far as the server knows; empty outside of one."""
    held = _acting.get()
    return held.address if held is not None else ""


@lru_cache
def name_at_the_machine() -> str:
    try:
        return getpass.getuser()[:200]
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return "unknown"


class Visitors:
    """ASGI middleware: a request is a visitor's until a password, a cookie or a token has told whose it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        with acting(VISITOR, str(client[0]) if client else ""):
            await self.app(scope, receive, send)
