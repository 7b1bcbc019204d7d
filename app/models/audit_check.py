from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Id, Name


class AuditCheck(Base):
    """That the audit log's chain was followed from its first entry to its last, and what was found."""

    __tablename__ = "audit_check"
    __table_args__ = (Index(None, "created_at"),)

    id: Mapped[Id]
    entries: Mapped[int] = mapped_column(doc="how many are as they were written")
    broken: Mapped[str] = mapped_column(Text, doc="what is wrong with the first that is not; empty: nothing")
    who: Mapped[Name] = mapped_column(doc="by whom, as the log would name them")
    created_at: Mapped[Created]
