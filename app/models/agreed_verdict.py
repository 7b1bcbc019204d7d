from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Float, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Id, belongs_to, words
from app.models.verdict import VerdictValue


class Source(StrEnum):
    """Whose word a verdict follows: a review wins over the probe of similar clusters, the probe over the judge."""

    REVIEW = "review"
    PROBE = "probe"
    JUDGE = "judge"


class AgreedVerdict(Base):
    """What one consensus says of one cluster, and why. Each consensus adds its rows; the newest one done counts."""

    __tablename__ = "agreed_verdict"
    __table_args__ = (
        UniqueConstraint("run_id", "cluster_id"),
        Index(None, "run_id", "place"),
        # All that counting needs, picture by picture, so that it never touches the rows.
        Index(
            "ix_agreed_verdict_counts", "run_id", "explanation_id", "cluster_id", "class_id", "kind", "value", "source"
        ),
    )

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"), doc="the consensus")
    cluster_id: Mapped[UUID] = mapped_column(belongs_to("cluster"), index=True)
    value: Mapped[VerdictValue] = mapped_column(words(VerdictValue))
    p_spurious: Mapped[float] = mapped_column(Float)
    source: Mapped[Source] = mapped_column(words(Source))
    overruled: Mapped[bool] = mapped_column(doc="the judge was sure of the opposite")
    kind: Mapped[int] = mapped_column(doc="of region: its number in the differences of the run's result")
    explanation_id: Mapped[UUID] = mapped_column(belongs_to("explanation"), doc="of the cluster")
    class_id: Mapped[UUID] = mapped_column(belongs_to("target_class"), doc="of the picture")
    place: Mapped[int] = mapped_column(doc="in the order of review, from 1; what people had answered comes last")
    reason_id: Mapped[UUID | None] = mapped_column(
        belongs_to("cluster"), doc="the reviewed cluster without which the verdict would be another"
    )
    nearest: Mapped[list[Any]] = mapped_column(
        doc="ids of the most similar clusters of other images, the nearest first"
    )
