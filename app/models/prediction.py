from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Id, belongs_to
from app.models.image import Image


class Prediction(Base):
    """What a checkpoint said of one image in an evaluation."""

    __tablename__ = "prediction"
    __table_args__ = (UniqueConstraint("run_id", "checkpoint_id", "image_id"),)

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"))
    checkpoint_id: Mapped[UUID] = mapped_column(belongs_to("checkpoint"), index=True)
    image_id: Mapped[UUID] = mapped_column(belongs_to("image"), index=True)
    predicted_id: Mapped[UUID] = mapped_column(ForeignKey("target_class.id"))
    correct: Mapped[bool]
    probabilities: Mapped[list[Any]] = mapped_column(doc="by class position")

    image: Mapped[Image] = relationship(lazy="raise")
