from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Digest, Id, belongs_to, words
from app.models.target_class import TargetClass


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Image(Base):
    __tablename__ = "image"
    __table_args__ = (Index(None, "dataset_id", "split", "position"),)

    id: Mapped[Id]
    dataset_id: Mapped[UUID] = mapped_column(belongs_to("dataset"))
    position: Mapped[int] = mapped_column(doc="row in the manifest: the order of everything that is seeded")
    path: Mapped[str] = mapped_column(String(1000))
    class_id: Mapped[UUID] = mapped_column(belongs_to("target_class"), index=True)
    split: Mapped[Split] = mapped_column(words(Split))
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    patient: Mapped[str | None] = mapped_column(String(200))
    blob: Mapped[Digest]
    mask_blob: Mapped[str | None] = mapped_column(String(64), doc="true spurious mask; never read for training")
    width: Mapped[int]
    height: Mapped[int]

    target_class: Mapped[TargetClass] = relationship(lazy="raise")
