"""The audit log as its page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, field_validator
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from app.audit.words import in_words
from app.languages.catalogue import gettext
from app.models import Action, AuditEntry, Project
from app.specifications.diff import Change, Span, word_diff

A_PAGE = 50
# Longer texts are shown as a whole, before and after: comparing them word by word would take seconds.
LONGEST_COMPARED = 3000


class Filter(BaseModel):
    """What the page's form asks for; ``before``: only entries with a lower number."""

    who: str = ""
    what: str = ""
    project: UUID | None = None
    since: date | None = None
    until: date | None = None
    before: int | None = None

    @field_validator("project", "since", "until", "before", mode="before")
    @classmethod
    def nothing_chosen(cls, value: object) -> object:
        """A form sends an empty text for what was left open."""
        return value or None

    def address(self, before: int) -> str:
        """Of the page that goes on before an entry."""
        chosen = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return f"/audit?{urlencode({**chosen, 'before': before})}"


@dataclass(frozen=True)
class Line:
    """One column of what was added, changed or removed."""

    column: str
    spans: Sequence[Span]


@dataclass(frozen=True)
class Shown:
    entry: AuditEntry
    what: str  # in words
    project: str  # its name; empty where the entry is about none, or it is gone
    lines: Sequence[Line]


@dataclass(frozen=True)
class LogPage:
    entries: Sequence[Shown]
    next: str  # the address of what comes after; empty at the end


def log_page(session: Session, asked: Filter) -> LogPage:
    """The newest first, and one more than is shown, which says whether there is another page."""
    found = session.scalars(matching(asked).order_by(AuditEntry.number.desc()).limit(A_PAGE + 1)).all()
    entries = found[:A_PAGE]
    ids = {entry.project_id for entry in entries if entry.project_id}
    names: dict[UUID | None, str] = dict(
        session.execute(select(Project.id, Project.name).where(Project.id.in_(ids))).all()
    )
    shown = [Shown(each, in_words(each), names.get(each.project_id, ""), lines_of(each)) for each in entries]
    return LogPage(shown, asked.address(entries[-1].number) if len(found) > A_PAGE else "")


def matching(asked: Filter) -> Select[AuditEntry]:
    given: list[ColumnElement[bool]] = []
    if asked.who.strip():
        given.append(AuditEntry.who == asked.who.strip())
    if asked.what:
        given.append(AuditEntry.thing == asked.what)
    if asked.project:
        given.append(AuditEntry.project_id == asked.project)
    if asked.since:
        given.append(AuditEntry.at >= datetime.combine(asked.since, time(), UTC))
    if asked.until:
        given.append(AuditEntry.at < datetime.combine(asked.until, time(), UTC) + timedelta(days=1))
    if asked.before:
        given.append(AuditEntry.number < asked.before)
    return select(AuditEntry).where(*given)


def lines_of(entry: AuditEntry) -> list[Line]:
    if entry.action is Action.WROTE:
        return []
    names = [name for name in {**entry.before, **entry.after} if name != "id"]  # which stands above them
    return [Line(name, spans(entry.before.get(name), entry.after.get(name))) for name in names]


def spans(before: Any, after: Any) -> Sequence[Span]:  # noqa: ANN401  what JSON can hold
    old, new = text_of(before), text_of(after)
    if max(len(old), len(new)) <= LONGEST_COMPARED and isinstance(before, str) and isinstance(after, str):
        return word_diff(old, new)
    told = (Span(Change.REMOVED, old), Span(Change.SAME, " "), Span(Change.ADDED, new))
    return [span for span in told if span.text.strip() or (old and new)]


def text_of(value: Any) -> str:  # noqa: ANN401  as above
    match value:
        case None:
            return ""
        case bool():
            return gettext("yes") if value else gettext("no")
        case dict():
            return ", ".join(f"{name}: {text_of(each)}" for name, each in value.items())
        case list():
            return ", ".join(text_of(each) for each in value)
        case _:
            return str(value)
