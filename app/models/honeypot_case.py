from uuid import UUID

from sqlalchemy import Float, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Created, Digest, belongs_to, words
from app.models.explanation import Explanation
from app.models.honeypot import Named


class HoneypotCase(Base):
    """A case that readers are asked about among others: the copy of an explained image, with a region on a mark in it.

    It is no cluster and no answer to it is a review, so whatever reads those can't meet one, by whichever query.
    """

    __tablename__ = "honeypot_case"
    __table_args__ = (UniqueConstraint("critique_id", "explanation_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, doc="drawn among those of the clusters that are read blind")
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"), doc="the planting")
    critique_id: Mapped[UUID] = mapped_column(belongs_to("run"), doc="the critique under review")
    explanation_id: Mapped[UUID] = mapped_column(belongs_to("explanation"), index=True)
    mark: Mapped[str] = mapped_column(String(20))
    truth: Mapped[Named] = mapped_column(words(Named))
    number: Mapped[int] = mapped_column(doc="of the region on the mark, which takes the place of that cluster")
    regions: Mapped[int] = mapped_column(doc="in the copy; as many as the image has")
    share: Mapped[float] = mapped_column(Float, doc="that cluster's: the model has never seen the copy")
    effect: Mapped[float] = mapped_column(Float, doc="the same")
    odds_fall: Mapped[float | None] = mapped_column(Float, doc="the same")
    place: Mapped[str] = mapped_column(String(60), doc="of the mark, in words")
    picture: Mapped[Digest] = mapped_column(doc="blob: PNG, the copy")
    assignment: Mapped[Digest] = mapped_column(doc="blob: PNG, as an explanation's")
    created_at: Mapped[Created]

    explanation: Mapped[Explanation] = relationship(lazy="raise")
