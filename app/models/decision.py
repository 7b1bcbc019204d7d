from uuid import UUID

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Created, Id, Name, belongs_to
from app.models.user import User


class Decision(Base):
    """A signed approval or rejection of a checkpoint; another may follow, none is edited."""

    __tablename__ = "decision"

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"), index=True)
    checkpoint_id: Mapped[UUID] = mapped_column(ForeignKey("checkpoint.id"))
    before_report_id: Mapped[UUID] = mapped_column(ForeignKey("report.id"), doc="what the signer was shown")
    after_report_id: Mapped[UUID] = mapped_column(ForeignKey("report.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    signed_name: Mapped[Name] = mapped_column(doc="as it stood at the signature")
    approved: Mapped[bool]
    meaning: Mapped[str] = mapped_column(Text, doc="the sentence that was signed")
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Created]

    user: Mapped[User] = relationship(lazy="raise")
