from typing import Any
from uuid import UUID

from sqlalchemy import Float, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Digest, Id, belongs_to
from app.models.image import Image


class Explanation(Base):
    """The attribution of one image under one checkpoint for its label, and where its clusters lie."""

    __tablename__ = "explanation"
    __table_args__ = (UniqueConstraint("run_id", "image_id"), Index(None, "run_id", "position"))

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"), doc="the analysis")
    checkpoint_id: Mapped[UUID] = mapped_column(ForeignKey("checkpoint.id"))
    image_id: Mapped[UUID] = mapped_column(belongs_to("image"), index=True)
    position: Mapped[int] = mapped_column(doc="place in the alignment set")
    predicted_id: Mapped[UUID] = mapped_column(ForeignKey("target_class.id"))
    probabilities: Mapped[list[Any]] = mapped_column(doc="by class position")
    entropy: Mapped[float] = mapped_column(Float, doc="nats")
    attribution: Mapped[Digest] = mapped_column(doc="blob: npy, float16 (H, W)")
    assignment: Mapped[Digest] = mapped_column(doc="blob: PNG, grey (H, W); 0 is no cluster, j is cluster number j")
    log_likelihood: Mapped[float] = mapped_column(Float)

    image: Mapped[Image] = relationship(lazy="raise")
    clusters: Mapped[list["Cluster"]] = relationship(lazy="raise", order_by="Cluster.number")


from app.models.cluster import Cluster  # noqa: E402  the two tables name each other
