from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Id, belongs_to


class LVLMCall(Base):
    """One call that left this machine: when, to which host, with how many images and bytes, for which run."""

    __tablename__ = "lvlm_call"

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"), index=True)
    host: Mapped[str] = mapped_column(String(300))
    images: Mapped[int]
    bytes: Mapped[int]
    created_at: Mapped[Created]
