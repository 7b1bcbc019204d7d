from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Id, belongs_to


class CaseLock(Base):
    """The case that a reader is shown: until it runs out, or they have answered, nobody else is given it.

    One that has run out stays, so that a reader finds the case again however late, unless somebody else has it then.
    """

    __tablename__ = "case_lock"
    __table_args__ = (UniqueConstraint("run_id", "user_id"), Index(None, "run_id", "cluster_id"))

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"), doc="the critique under review")
    cluster_id: Mapped[UUID] = mapped_column(belongs_to("cluster"))
    user_id: Mapped[UUID] = mapped_column(belongs_to("user_account"))
    until: Mapped[datetime]
