from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Id, belongs_to, words
from app.models.run import Stage


class ShardState(StrEnum):
    PENDING = "pending"
    CLAIMED = "claimed"
    DONE = "done"


class Shard(Base):
    """The part of a stage that one task does: claimed in SQL, done once however often it is delivered."""

    __tablename__ = "shard"
    __table_args__ = (UniqueConstraint("run_id", "stage", "number"), Index(None, "state"))

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"))
    stage: Mapped[Stage] = mapped_column(words(Stage))
    number: Mapped[int]
    first: Mapped[int] = mapped_column(doc="its items are first <= i < last in the stage's order")
    last: Mapped[int]
    state: Mapped[ShardState] = mapped_column(words(ShardState), default=ShardState.PENDING)
    claim: Mapped[str] = mapped_column(String(32), default="", doc="which delivery holds it")
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(doc="when its message left; none: its turn has not come")
    heartbeat_at: Mapped[datetime | None]
    # What a sequential stage hands to its next shard, such as the blob of a half-trained model.
    outcome: Mapped[dict[str, Any]] = mapped_column(default=dict)
