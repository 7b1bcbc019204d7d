"""Of page 10, System: the audit log, its check and its export."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from itsdangerous import BadSignature
from sqlalchemy import select

from app.accounts.cookies import serializer
from app.audit import queries
from app.audit.actions import note_check, note_export
from app.audit.chain import Link, follow, head, link_at, number_of
from app.audit.export import lines
from app.audit.scope import TABLES, Told
from app.audit.words import named
from app.deps import Admin, DBSession, page
from app.languages.catalogue import gettext
from app.models import Project, User

router = APIRouter(prefix="/audit")
# A fraction of a second's work, more where the machine is busy; the page asks for the next portion by itself.
CHECKED_AT_ONCE = 3_000
LONGEST_CHECK = 3600  # seconds in which the next portion has to be asked for
ONE_BY_ONE = [table for table, (how, _) in TABLES.items() if how is Told.ROW_BY_ROW]
OTHER_THINGS = ["rows", "sign-in", "sign-in by link", "change of password", "signature", "verdict", "audit_entry"]


@router.get("")
def show_log(request: Request, session: DBSession, user: Admin, asked: Annotated[queries.Filter, Query()]) -> Response:
    del user
    return page(
        request,
        "audit/audit.html",
        log=queries.log_page(session, asked),
        asked=asked,
        things=sorted((named(thing), thing) for thing in (*ONE_BY_ONE, *OTHER_THINGS)),
        projects=session.execute(
            select(Project.id, Project.name).where(Project.draft.is_(None)).order_by(Project.name)
        ).all(),
        people=session.scalars(select(User.name).order_by(User.name)).all(),
    )


@router.get("/verify")
def verify(
    request: Request,
    session: DBSession,
    user: Admin,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    kept: Annotated[str, Query(max_length=200)] = "",
    followed: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Checks the next entries of the chain; the fragment asks for those after them until one is broken or none left.

    ``followed`` is the server's own word that all before ``after`` were followed: only then is the end noted.
    """
    del user
    kept = kept.strip().lower()
    last = link_at(session, after)
    if last is None:
        raise HTTPException(404, gettext("The log has no such entry. Start the check again."))
    checked = follow(session, last, CHECKED_AT_ONCE)
    from_the_first = after == 0 or was_followed(followed, last)
    if checked.done and from_the_first:
        note_check(checked)
    return page(
        request,
        "audit/audit.html",
        "checked",
        checked=checked,
        followed=word_for(checked.last) if from_the_first else "",
        total=head(session).number,
        kept=kept,
        kept_number=number_of(session, kept) if kept else None,
    )


def word_for(last: Link) -> str:
    return serializer("followed").dumps([last.number, last.hash])


def was_followed(word: str, last: Link) -> bool:
    try:
        return bool(serializer("followed").loads(word, max_age=LONGEST_CHECK) == [last.number, last.hash])
    except BadSignature:
        return False


@router.get("/export")
def export(user: Admin) -> Response:
    """The export is in the log itself, so it is its own last line but for what happens meanwhile."""
    del user
    note_export("audit_entry")
    headers = {"Content-Disposition": 'attachment; filename="audit-log.jsonl"'}
    return StreamingResponse(lines(), media_type="application/x-ndjson", headers=headers)
