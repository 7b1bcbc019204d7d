"""What workers tell people, kept so that everybody reads it in their own language.

A worker knows no reader. What it says of a failure or a file is a ``Message``: English for the API, the command line
and the audit log, which remembers the sentence of the catalogue and the values in its places. Both are stored, and a
page says them anew. What was stored as plain text stays as it is.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from babel.numbers import format_decimal

from app.languages.catalogue import gettext, locale

SENTENCE, VALUES = "sentence", "values"
Value = str | int


class Message(str):
    """English text that can be said in other languages. ``Message("It has %(size)s bytes.", size=size)``.

    The sentence is a key of the catalogue, as for ``gettext``. Numbers to be read as such are given as int, names and
    row numbers as text; a value may be a message itself.
    """

    __slots__ = ("sentence", "values")

    sentence: str
    values: dict[str, Value]

    def __new__(cls, sentence: str, /, **values: Value) -> Self:
        english = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        message = super().__new__(cls, sentence % english)
        message.sentence, message.values = sentence, values
        return message


def joined(parts: Sequence[str], between: str = " ") -> Message:
    """Messages and names in a row; nothing but them is said, so that no catalogue needs to know it."""
    places = {f"part{number}": part for number, part in enumerate(parts)}
    return Message(between.join(f"%({place})s" for place in places), **places)


class MessageError(ValueError):
    """An error whose text is for the person who asked."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


def told(text: str | Mapping[str, Any] | None) -> str:
    """In the reader's language: a message, one as JSON keeps it, or plain text, which stays as it is."""
    message = from_json(text or "")
    if not isinstance(message, Message):
        return message
    return gettext(message.sentence, **{name: value_told(value) for name, value in message.values.items()})


def value_told(value: Value) -> str:
    return format_decimal(value, locale=locale()) if isinstance(value, int) else told(value)


def as_json(text: str) -> str | dict[str, Any]:
    """As a document of the database keeps it."""
    if not isinstance(text, Message):
        return text
    values = {name: as_json(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return {SENTENCE: text.sentence, VALUES: values}


def from_json(kept: str | Mapping[str, Any]) -> str:
    """The message again; plain text stays plain."""
    if isinstance(kept, str):
        return kept
    values = kept[VALUES].items()
    return Message(
        kept[SENTENCE], **{name: value if isinstance(value, int) else from_json(value) for name, value in values}
    )


def as_text(text: str) -> str:
    """As a column of text keeps it: a message as JSON."""
    return json.dumps(as_json(text), ensure_ascii=False) if isinstance(text, Message) else text


def from_text(kept: str) -> str:
    """The message again; plain text, of whatever kind, stays plain."""
    try:
        found = json.loads(kept) if kept.startswith(f'{{"{SENTENCE}": ') else kept
        return from_json(found)
    except (ValueError, TypeError, LookupError, AttributeError):
        return kept


def in_english(document: Any) -> Any:  # noqa: ANN401  any JSON
    """The document with its messages as English text."""
    if isinstance(document, Mapping):
        if document.keys() == {SENTENCE, VALUES}:
            return str(from_json(document))
        return {name: in_english(value) for name, value in document.items()}
    return [in_english(value) for value in document] if isinstance(document, list | tuple) else document
