"""Columns that many tables share."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

from sqlalchemy import Dialect, Enum, ForeignKey, String, Text, TypeDecorator
from sqlalchemy.orm import mapped_column

from app.db import now
from app.languages.messages import as_text, from_text

Id = Annotated[UUID, mapped_column(primary_key=True, default=uuid4)]
Created = Annotated[datetime, mapped_column(default=now)]
Name = Annotated[str, mapped_column(String(200))]
Digest = Annotated[str, mapped_column(String(64))]


class Messages(TypeDecorator[str]):
    """What a worker told: English text that remembers how to be said in other languages, or plain text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else as_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else from_text(value)


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
