from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Float, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Digest, Id, Name, belongs_to, words


class Origin(StrEnum):
    IMPORTED = "imported"
    TRAINED = "trained"
    REALIGNED = "realigned"
    CONTROL = "control"  # the same training without correction, kept to compare with


class Checkpoint(Base):
    """An architecture, its weights, its preprocessing and its parent; never changed once it stands."""

    __tablename__ = "checkpoint"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"))
    number: Mapped[int] = mapped_column(doc="1, 2, 3 ... within the project")
    name: Mapped[Name]
    origin: Mapped[Origin] = mapped_column(words(Origin))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("checkpoint.id"))
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("run.id"), doc="the run that made it")
    architecture: Mapped[str] = mapped_column(String(200))
    weights: Mapped[Digest] = mapped_column(doc="blob, safetensors")
    size: Mapped[int] = mapped_column(doc="side of the square input in pixels")
    channels: Mapped[int]
    mean: Mapped[list[Any]]
    std: Mapped[list[Any]]
    attribution: Mapped[str] = mapped_column(String(40), doc="the method its explanations use")
    completeness_error: Mapped[float] = mapped_column(Float)
    attribution_reason: Mapped[str] = mapped_column(Text, doc="why that method, in a sentence")
    created_at: Mapped[Created]
    created_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
