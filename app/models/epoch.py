from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Id, belongs_to


class Epoch(Base):
    """What was measured after one epoch of a training or realignment run: the points of its live curves."""

    __tablename__ = "epoch"
    __table_args__ = (UniqueConstraint("run_id", "number"),)

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"))
    number: Mapped[int]
    figures: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[Created]
