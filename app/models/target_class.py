from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Id, Name, belongs_to


class TargetClass(Base):
    """One of a project's classes; its position is its place among the model's outputs."""

    __tablename__ = "target_class"
    __table_args__ = (UniqueConstraint("project_id", "name"), UniqueConstraint("project_id", "position"))

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"))
    position: Mapped[int]
    name: Mapped[Name]
