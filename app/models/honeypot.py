from enum import StrEnum
from uuid import UUID

from sqlalchemy import Float, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Digest, Id, belongs_to, words
from app.models.verdict import VerdictValue


class Named(StrEnum):
    """As what the specification names what was planted, and so what is true of it."""

    SPURIOUS = "spurious"
    RELEVANT = "relevant"


class Honeypot(Base):
    """What critic and judge said of an artefact that we planted into the copy of an explained image.

    It has a table of its own: it is no cluster and no verdict, so nothing that is trained on can hold it.
    """

    __tablename__ = "honeypot"
    __table_args__ = (UniqueConstraint("run_id", "explanation_id", "named"),)

    id: Mapped[Id]
    run_id: Mapped[UUID] = mapped_column(belongs_to("run"))
    explanation_id: Mapped[UUID] = mapped_column(belongs_to("explanation"), index=True)
    thing: Mapped[str] = mapped_column(String(20))
    named: Mapped[Named] = mapped_column(words(Named))
    number: Mapped[int] = mapped_column(doc="of the cluster on it")
    value: Mapped[VerdictValue] = mapped_column(words(VerdictValue))
    p_spurious: Mapped[float] = mapped_column(Float)
    text: Mapped[str] = mapped_column(Text, doc="the critic's words")
    picture: Mapped[Digest] = mapped_column(doc="blob: PNG, the clusters over the copy")
