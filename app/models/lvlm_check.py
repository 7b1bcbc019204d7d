from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Id, belongs_to


class LVLMCheck(Base):
    """What one check of a project's LVLM found on planted cases; another may follow, none is changed."""

    __tablename__ = "lvlm_check"
    __table_args__ = (UniqueConstraint("run_id"), Index(None, "project_id", "created_at"))

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"))
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"))
    lvlm: Mapped[str] = mapped_column(String(400), doc="its name in the project")
    identity: Mapped[str] = mapped_column(Text, doc="its weights and all else that decides an answer; empty: unknown")
    passed: Mapped[bool]
    figures: Mapped[dict[str, Any]] = mapped_column(doc="app.models.check_figures.CheckFigures as JSON")
    created_at: Mapped[Created]
