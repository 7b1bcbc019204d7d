"""The sentences of all pages in the reader's language, from one catalogue: translations/LANGUAGE/LC_MESSAGES.

In the code they stand in English, which is their key: ``gettext("There is no such draft.")`` says it in the language in
which the request is read. Values go into named places, ``gettext("Page %(number)s", number=3)``; a percent sign that is
meant as such is doubled. A sentence in a constant is marked there by ``msgid``, and said by ``gettext`` later.

English stays what is no page: the API, the command line, the audit log, what workers store, and what an LVLM is asked.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).parent.parent.parent / "translations"
ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "de": "Deutsch"}  # each by its own name


@dataclass
class Reading:
    """Changed in place: a request's parts run in threads with a copy of its context, and they all must see it."""

    language: str


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


@contextmanager
def reading_in(language: str) -> Generator[None]:
    token = _reading.set(Reading(language))
    try:
        yield
    finally:
        _reading.reset(token)


def read_in(language: str) -> None:
    """Says in which language the request turned out to be read; a language that we do not have changes nothing."""
    held = _reading.get()
    if held is not None and language in LANGUAGES:
        held.language = language


def language() -> str:
    held = _reading.get()
    return held.language if held is not None else ENGLISH


def locale() -> Locale:
    return locale_of(language())


@lru_cache
def locale_of(name: str) -> Locale:
    return Locale.parse(name)


@lru_cache
def translations(name: str) -> NullTranslations:
    return read(name)


def read(name: str) -> NullTranslations:
    """Compiled as it is read, so that nothing generated stands in the repository and nothing has to be built."""
    if name == ENGLISH:
        return NullTranslations()
    compiled = BytesIO()
    with (FOLDER / name / "LC_MESSAGES" / "messages.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=name))
    compiled.seek(0)
    return GNUTranslations(compiled)


def said(message: str) -> str:
    """The message in the reader's language, its places still open, as templates need it."""
    return translations(language()).gettext(message) if message else ""  # gettext keeps its own header under ""


def said_of(one: str, many: str, number: int) -> str:
    return translations(language()).ngettext(one, many, number)


def said_in_context(context: str, message: str) -> str:
    """Of an English word that is two in another language."""
    return translations(language()).pgettext(context, message)


def gettext(message: str, /, **values: object) -> str:
    return said(message) % values


def ngettext(one: str, many: str, number: int, /, **values: object) -> str:
    """The number chooses the form; where it is to be read it is among the values."""
    return said_of(one, many, number) % values


def quoted(words: str) -> str:
    """In the quotation marks of the reader's language."""
    return gettext("“%(words)s”", words=words)


def msgid(message: str) -> str:
    """Marks a sentence for the catalogue where it is not yet known in which language it will be said."""
    return message
