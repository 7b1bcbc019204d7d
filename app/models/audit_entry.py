from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Digest, words


class ActorKind(StrEnum):
    PERSON = "person"
    TOKEN = "token"  # noqa: S105  a program that carries a person's API token
    COMMAND = "command"  # somebody at the machine itself
    RUN = "run"
    SWEEP = "sweep"  # the workers' own: it ends what was lost and starts what is due
    VISITOR = "visitor"  # nobody is signed in


class Action(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    WROTE = "wrote"  # rows that are counted, not told one by one
    EXPORTED = "exported"
    REFUSED = "refused"  # a wrong password, or a link that does not sign in


class AuditEntry(Base):
    """Who did what, when, before and after: each entry holds the hash of the one before it, and none is ever changed.

    It names what it tells of without foreign keys, because it outlives it.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index(None, "project_id", "number"),
        Index(None, "who", "number"),
        Index(None, "thing", "number"),
        Index(None, "at"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="1, 2, 3 ... without a gap")
    at: Mapped[datetime]
    actor: Mapped[ActorKind] = mapped_column(words(ActorKind))
    who: Mapped[str] = mapped_column(String(200), doc="the name at that time; of a run its word")
    actor_id: Mapped[UUID | None] = mapped_column(doc="the user, also behind a token; the run")
    token_id: Mapped[UUID | None]
    project_id: Mapped[UUID | None]
    action: Mapped[Action] = mapped_column(words(Action))
    thing: Mapped[str] = mapped_column(String(60), doc="the table's name, or what was refused or exported")
    thing_id: Mapped[UUID | None]
    before: Mapped[dict[str, Any]] = mapped_column(doc="by column; of a change only what changed")
    after: Mapped[dict[str, Any]]
    previous: Mapped[Digest] = mapped_column(doc="hash of the entry before; zeros for the first")
    hash: Mapped[Digest] = mapped_column(unique=True, doc="SHA-256 of all the above as canonical JSON")
