from uuid import UUID

from sqlalchemy import Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Id, belongs_to, words
from app.models.verdict import VerdictValue


class JudgeExample(Base):
    """One of the judge's few-shot examples; people may edit them, every critique run keeps the ones it used."""

    __tablename__ = "judge_example"
    __table_args__ = (UniqueConstraint("project_id", "position"),)

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"))
    position: Mapped[int]
    text: Mapped[str] = mapped_column(Text, doc="what a critic wrote of a cluster")
    verdict: Mapped[VerdictValue] = mapped_column(words(VerdictValue))
