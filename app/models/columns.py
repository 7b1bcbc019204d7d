"""Columns that many tables share."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

from sqlalchemy import Enum, ForeignKey, String
from sqlalchemy.orm import mapped_column

from app.db import now

Id = Annotated[UUID, mapped_column(primary_key=True, default=uuid4)]
Created = Annotated[datetime, mapped_column(default=now)]
Name = Annotated[str, mapped_column(String(200))]
Digest = Annotated[str, mapped_column(String(64))]


def words(kind: type[StrEnum]) -> Enum:
    """An enumeration stored as its words, so that the database can be read, with a check constraint."""
    return Enum(
        kind,
        native_enum=False,
        length=40,
        create_constraint=True,
        name=kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


def belongs_to(table: str) -> ForeignKey:
    """The row goes when its owner goes."""
    return ForeignKey(f"{table}.id", ondelete="CASCADE")
