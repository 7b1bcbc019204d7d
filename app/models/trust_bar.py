from uuid import UUID

from sqlalchemy import Float, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Created, Id, belongs_to
from app.models.user import User


class TrustBar(Base):
    """What a project asks of its judge before a realignment may start; the newest counts, none is ever changed."""

    __tablename__ = "trust_bar"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"))
    locks: Mapped[bool] = mapped_column(doc="off: written down, and realignment is open all the same")
    least_kappa: Mapped[float] = mapped_column(Float, doc="Cohen's, of the judge with blind readers")
    least_cases: Mapped[int] = mapped_column(doc="that somebody has read blind")
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Created]
    created_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))

    created_by: Mapped[User | None] = relationship(lazy="raise")
