from uuid import UUID

from sqlalchemy import Float, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Id, belongs_to


class Cluster(Base):
    """One component of the mixture on an explanation: number and colour, share of the evidence, place and effect."""

    __tablename__ = "cluster"
    __table_args__ = (UniqueConstraint("explanation_id", "number"),)

    id: Mapped[Id]
    explanation_id: Mapped[UUID] = mapped_column(belongs_to("explanation"))
    number: Mapped[int] = mapped_column(doc="from 1, the largest share first; its colour is PALETTE[number - 1]")
    share: Mapped[float] = mapped_column(Float, doc="of the positive evidence")
    area: Mapped[float] = mapped_column(Float, doc="of the image")
    x: Mapped[float] = mapped_column(Float, doc="mean, 0 left to 1 right")
    y: Mapped[float] = mapped_column(Float, doc="mean, 0 top to 1 bottom")
    spread: Mapped[float] = mapped_column(Float, doc="root of the covariance's mean variance")
    place: Mapped[str] = mapped_column(String(60), doc="in words")
    words: Mapped[str] = mapped_column(String(200), default="", doc="what the LVLM says it covers; may be empty")
    effect: Mapped[float] = mapped_column(Float, doc="fall of P(label) when it is covered")
    odds_fall: Mapped[float | None] = mapped_column(
        Float,
        doc="nats: fall of the log-odds of the label when it is covered; none in analyses before this was measured",
    )
    truth: Mapped[float | None] = mapped_column(Float, doc="share of it on the true spurious mask; measuring only")

    explanation: Mapped["Explanation"] = relationship(lazy="raise", viewonly=True)

    @property
    def influence(self) -> float:
        """How much a reader's word on it weighs: its share of the evidence plus what covering it changes."""
        return self.share + abs(self.effect)


from app.models.explanation import Explanation  # noqa: E402  the two tables name each other
