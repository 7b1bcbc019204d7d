from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Created, Id, Name
from app.models.target_class import TargetClass


class Project(Base):
    """One classification task: its classes, its images, its checkpoints, its specifications."""

    __tablename__ = "project"

    id: Mapped[Id]
    name: Mapped[Name] = mapped_column(unique=True)
    task: Mapped[str] = mapped_column(Text, default="", doc="what the model decides, in a sentence for the clinician")
    is_demo: Mapped[bool] = mapped_column(default=False)
    group_by: Mapped[list[Any]] = mapped_column(default=list, doc="attributes that make the groups, beside the class")
    lvlm: Mapped[str] = mapped_column(String(400), default="none", doc="see worker.lvlm.load; none: people alone judge")
    critic_notes: Mapped[str] = mapped_column(Text, default="", doc="important notes for the critic, for all classes")
    draft: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True), doc="what was typed on the page New project; none: the project was made"
    )
    second_readings: Mapped[int] = mapped_column(
        default=10, doc="percent of the answered cases that another reader is asked about too"
    )
    created_at: Mapped[Created]
    created_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))

    classes: Mapped[list[TargetClass]] = relationship(lazy="raise", order_by=TargetClass.position)
