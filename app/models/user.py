from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Id, Name, words
from app.models.run import Kind

ENGINEERS_KINDS = {Kind.IMPORT, Kind.REGISTRATION, Kind.TRAINING, Kind.EVALUATION, Kind.EXPORT}


class Role(StrEnum):
    ADMIN = "admin"
    ENGINEER = "engineer"
    CLINICIAN = "clinician"

    def may_run(self, kind: Kind) -> bool:
        """Whether to start and to stop such work; realigning is a clinician's, for it follows from their review."""
        return self is not Role.CLINICIAN or kind not in ENGINEERS_KINDS


class User(Base):
    """A person who signs in."""

    __tablename__ = "user_account"  # "user" is a reserved word in SQL

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(200), unique=True)
    display_name: Mapped[Name]
    role: Mapped[Role] = mapped_column(words(Role))
    password_hash: Mapped[str] = mapped_column(String(400))
    # Changed with the password and at sign-out everywhere: cookies that carry an older one are void.
    session_key: Mapped[str] = mapped_column(String(64))
    active: Mapped[bool] = mapped_column(default=True)
    single_keys: Mapped[bool] = mapped_column(default=True, doc="whether single keys work")
    keys: Mapped[dict[str, Any]] = mapped_column(default=dict, doc="by shortcut, where it is not the catalogue's")
    language: Mapped[str] = mapped_column(String(8), default="", doc="of the pages; empty: what the browser asks for")
    created_at: Mapped[Created]
    last_seen_at: Mapped[datetime | None]
    toured_at: Mapped[datetime | None] = mapped_column(doc="when the tour of the steps was read or skipped")
