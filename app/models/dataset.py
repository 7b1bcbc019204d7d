from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Digest, Id, Name, belongs_to


class Dataset(Base):
    """The images that one import brought; the same content comes into a project once."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("project_id", "digest"),)

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"))
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("run.id"))
    digest: Mapped[Digest]
    name: Mapped[Name]
    attributes: Mapped[list[Any]] = mapped_column(default=list)
    images: Mapped[int] = mapped_column(doc="how many")
    has_masks: Mapped[bool] = mapped_column(doc="some images carry a true spurious mask, for measuring only")
    created_at: Mapped[Created]
