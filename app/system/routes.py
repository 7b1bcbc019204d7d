"""Page 10, System: people and roles, workers and queues, LVLMs and where pictures go, the audit log's state."""

from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from app.accounts import actions
from app.accounts.actions import LINK_MINUTES, AccountError
from app.accounts.confirming import refusal
from app.audit.chain import head
from app.config import settings
from app.deps import Admin, DBSession, Engineer, page
from app.languages.catalogue import gettext
from app.models import Role, User
from app.projects.lvlm import NONE, speaker_of
from app.system import findings, queries

router = APIRouter(prefix="/system")
Text = Annotated[str, Form(max_length=200)]
Change = Literal["role", "off", "on", "leave", "let-in"]
FIRST_PASSWORD = 12  # random bytes


@dataclass(frozen=True)
class LetIn:
    """Shown once: how somebody gets in who has no password yet, or has forgotten it."""

    user: User
    link: str
    password: str


@router.get("")
def show_system(request: Request, session: DBSession, user: Engineer) -> Response:
    return system_page(request, session, user)


def system_page(request: Request, session: Session, user: User, status: int = 200, **told: Any) -> Response:  # noqa: ANN401  a template's context
    """What is about people, and the audit log, is for administrators; the rest for engineers too."""
    is_admin = user.role is Role.ADMIN
    critics = queries.critics(session)
    return page(
        request,
        "system/system.html",
        status=status,
        me=user,
        people=queries.people(session) if is_admin else [],
        entries=head(session).number if is_admin else 0,
        audit_check=queries.newest_audit_check(session) if is_admin else None,
        findings=[findings.database(places=is_admin), findings.disk(places=is_admin), findings.memory()],
        work=queries.work_under_way(session),
        most_work=queries.LISTED,
        critics=critics,
        hosts=queries.hosts(session, critics),
        default=settings().lvlm,
        speaker=speaker_of(settings().lvlm),
        none=NONE,
        stored=queries.database_size(session),
        versions=queries.versions(),
        roles=tuple(Role),
        minutes=LINK_MINUTES,
        **told,
    )


@router.get("/parts")
def ask_parts(request: Request, session: DBSession, user: Engineer) -> Response:
    """Those that may take seconds to answer, or never do: the page does not wait for them."""
    places = user.role is Role.ADMIN
    broker = findings.broker(places=places)
    found = findings.answering() if broker.ok else {}
    parts = [broker, findings.workers(found), findings.blobs(places=places)]
    waiting = findings.messages() if broker.ok else None
    if request.headers.get("HX-Request") == "true":
        return page(request, "system/system.html", "parts", parts=parts, workers=found, waiting=waiting)
    return system_page(request, session, user, parts=parts, workers=found, waiting=waiting)


@router.post("/users")
def add_user(
    request: Request,
    session: DBSession,
    admin: Admin,
    name: Text,
    role: Annotated[Role, Form()],
    password: Annotated[str, Form()],
    display_name: Text = "",
) -> Response:
    typed = {"name": name, "display_name": display_name, "role": role}
    if told := refusal(session, admin, password, "new account"):
        return system_page(request, session, admin, 422, error=f"{told} {gettext('Nobody was added.')}", typed=typed)
    first = token_urlsafe(FIRST_PASSWORD)
    try:
        user = actions.create_user(session, name, display_name, role, first)
    except AccountError as error:
        return system_page(request, session, admin, 422, error=f"{error} {gettext('Nobody was added.')}", typed=typed)
    return system_page(request, session, admin, let_in=let_in(request, user, first))


@router.post("/users/{user_id}")
def change_user(
    request: Request,
    session: DBSession,
    admin: Admin,
    user_id: UUID,
    do: Annotated[Change, Form()],
    password: Annotated[str, Form()],
    role: Annotated[Role | None, Form()] = None,
) -> Response:
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(404, gettext("There is no such account."))
    if told := refusal(session, admin, password, "change of an account"):
        return system_page(
            request, session, admin, 422, error=f"{told} {gettext('Nothing was changed.')}", open=user.id
        )
    try:
        first = change(session, user, do, role)
    except AccountError as error:
        return system_page(
            request, session, admin, 422, error=f"{error} {gettext('Nothing was changed.')}", open=user.id
        )
    if first:
        return system_page(request, session, admin, let_in=let_in(request, user, first))
    return RedirectResponse("/system#people", 303)


def change(session: Session, user: User, do: Change, role: Role | None) -> str:
    """The first password of an account that was let in anew; empty after any other change. Raises AccountError."""
    match do:
        case "role":
            if role is None:
                raise AccountError(gettext("Choose a role."))
            actions.set_role(session, user, role)
        case "off":
            actions.switch_off(session, user)
        case "on":
            actions.switch_on(session, user)
        case "leave":
            actions.sign_out_everywhere(session, user)
        case "let-in":
            first = token_urlsafe(FIRST_PASSWORD)
            actions.set_password(session, user, first)
            return first
    return ""


def let_in(request: Request, user: User, first: str) -> LetIn:
    return LetIn(user, f"{str(request.base_url).rstrip('/')}{actions.sign_in_link(user)}", first)
