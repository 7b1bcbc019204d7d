from uuid import UUID

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Created, Id, belongs_to
from app.models.explanation import Explanation
from app.models.verdict import Verdict


class Critique(Base):
    """What the critic wrote on one explanation under one version of the specification."""

    __tablename__ = "critique"
    __table_args__ = (UniqueConstraint("run_id", "explanation_id"),)

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"))
    explanation_id: Mapped[UUID] = mapped_column(belongs_to("explanation"), index=True)
    specification_id: Mapped[UUID] = mapped_column(ForeignKey("specification.id"))
    lvlm: Mapped[str] = mapped_column(String(400))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Created]

    explanation: Mapped[Explanation] = relationship(lazy="raise")
    verdicts: Mapped[list[Verdict]] = relationship(lazy="raise")
