from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Id, belongs_to, words
from app.models.image import Split


class Report(Base):
    """The measured figures of one checkpoint on one split, each with its n and its interval."""

    __tablename__ = "report"
    __table_args__ = (Index(None, "checkpoint_id", "split", "created_at"),)

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"))
    checkpoint_id: Mapped[UUID] = mapped_column(belongs_to("checkpoint"))
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"))
    split: Mapped[Split] = mapped_column(words(Split))
    figures: Mapped[dict[str, Any]] = mapped_column(doc="app.models.figures.Figures as JSON")
    created_at: Mapped[Created]
