from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Id, belongs_to, words


class Answer(StrEnum):
    SPURIOUS = "spurious"
    RELEVANT = "relevant"
    CANT_TELL = "can't tell"
    WITHDRAWN = "withdrawn"


LONGEST_NOTE = 500


class Review(Base):
    """A person's word on one cluster. The newest of a reader counts; undo adds ``withdrawn``, nothing is deleted.

    One that settles is an adjudicator's, who has seen that readers differ: it counts before theirs.
    """

    __tablename__ = "review"
    __table_args__ = (Index(None, "cluster_id", "user_id", "created_at"), Index(None, "user_id", "created_at"))

    id: Mapped[Id]
    cluster_id: Mapped[UUID] = mapped_column(belongs_to("cluster"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"), doc="the critique under review")
    answer: Mapped[Answer] = mapped_column(words(Answer))
    blind: Mapped[bool] = mapped_column(doc="given before any verdict was shown")
    settles: Mapped[bool] = mapped_column(default=False, doc="given where readers differed, with their answers in view")
    note: Mapped[str] = mapped_column(String(LONGEST_NOTE), default="", doc="why, in the reader's words; may be empty")
    created_at: Mapped[Created]
