from typing import ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Id, belongs_to, words
from app.models.review import LONGEST_NOTE, Answer


class HoneypotAnswer(Base):
    """A reader's word on a planted case; the newest counts, and nothing is deleted, as with a review.

    It reads as a review does, so that a response to it tells no more than one to a review.
    """

    __tablename__ = "honeypot_answer"
    __table_args__ = (Index(None, "case_id", "user_id"),)

    id: Mapped[Id]
    case_id: Mapped[UUID] = mapped_column(belongs_to("honeypot_case"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"), doc="the critique under review")
    answer: Mapped[Answer] = mapped_column(words(Answer))
    note: Mapped[str] = mapped_column(String(LONGEST_NOTE), default="", doc="as a review's")
    created_at: Mapped[Created]

    blind: ClassVar[bool] = True
    settles: ClassVar[bool] = False

    @property
    def cluster_id(self) -> UUID:
        return self.case_id
