from uuid import UUID

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Created, Id, belongs_to
from app.models.target_class import TargetClass


class SpecificationEntry(Base):
    """What a version of the specification says of one class."""

    __tablename__ = "specification_entry"
    __table_args__ = (UniqueConstraint("specification_id", "class_id"),)

    id: Mapped[Id]
    specification_id: Mapped[UUID] = mapped_column(belongs_to("specification"))
    class_id: Mapped[UUID] = mapped_column(belongs_to("target_class"))
    spurious: Mapped[str] = mapped_column(Text, default="", doc="the model should ignore")
    relevant: Mapped[str] = mapped_column(Text, default="", doc="the model should use")
    notes: Mapped[str] = mapped_column(Text, default="")

    target_class: Mapped[TargetClass] = relationship(lazy="raise")


class Specification(Base):
    """One version of what the clinicians of a project say; never changed, only followed by another."""

    __tablename__ = "specification"
    __table_args__ = (UniqueConstraint("project_id", "version"),)

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"))
    version: Mapped[int]
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[Created]
    created_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))

    entries: Mapped[list[SpecificationEntry]] = relationship(lazy="raise")
