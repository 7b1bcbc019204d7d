from enum import StrEnum
from uuid import UUID

from sqlalchemy import Float, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Id, belongs_to, words


class VerdictValue(StrEnum):
    SPURIOUS = "spurious"
    RELEVANT = "relevant"
    UNCERTAIN = "uncertain"


class Verdict(Base):
    """The judge's word on one cluster, with P(spurious)."""

    __tablename__ = "verdict"
    __table_args__ = (
        UniqueConstraint("critique_id", "cluster_id"),
        # All that counting and the next case need until there is a consensus.
        Index("ix_verdict_place", "run_id", "place", "cluster_id", "value"),
    )

    id: Mapped[Id]
    critique_id: Mapped[UUID] = mapped_column(belongs_to("critique"))
    cluster_id: Mapped[UUID] = mapped_column(belongs_to("cluster"), index=True)
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"), doc="of the critique")
    place: Mapped[float] = mapped_column(Float, doc="in the order of review until there is a consensus, least first")
    value: Mapped[VerdictValue] = mapped_column(words(VerdictValue))
    p_spurious: Mapped[float] = mapped_column(Float)
    text: Mapped[str] = mapped_column(Text, default="", doc="the critic's words on this cluster")
    reason: Mapped[str] = mapped_column(Text, default="", doc="why it is uncertain, where it is")
    flag: Mapped[str] = mapped_column(Text, default="", doc="how it contradicts the critic's words, where it does")
    agreement: Mapped[float | None] = mapped_column(Float, doc="share of the passes that agree with most of them")
    p_calibrated: Mapped[float | None] = mapped_column(Float, doc="P(spurious) as people's answers bear it out")
    calibrated_on: Mapped[int | None] = mapped_column(doc="clusters that people answered, of other images")
