from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base
from app.models.columns import Created, Digest, Id, Name, belongs_to
from app.models.user import User


class Token(Base):
    """A key to /api/v1 with its owner's role; only its hash is kept."""

    __tablename__ = "token"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(belongs_to("user_account"), index=True)
    name: Mapped[Name]
    hash: Mapped[Digest] = mapped_column(unique=True)
    created_at: Mapped[Created]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="raise")
