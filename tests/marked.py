"""A language in which every sentence of the catalogue stands in marks, to find what does not come from it."""

import re
from collections.abc import Iterable, Iterator
from gettext import NullTranslations
from html.parser import HTMLParser
from typing import Any

from sqlalchemy import JSON, Enum, String, select
from sqlalchemy.orm import Session

from app.db import Base

OPEN, CLOSE = "⟦", "⟧"
VOID = {"area", "br", "hr", "img", "input", "link", "meta", "source", "circle", "rect", "line", "polyline"}
SPOKEN = ("alt", "aria-label", "data-first", "data-last", "data-lost", "data-name", "placeholder", "title")
# What is no language of ours: code, keys, what is typed, and elements that say so themselves.
CODE = {"code", "kbd", "pre", "script", "style", "textarea"}
# Names, units and signs that are the same in every language.
SAME = {"Right", "Reasons", "API", "LVLM", "UTC", "SQLite", "PostgreSQL", "MB", "GiB", "h", "min", "s", "n", "p"}
# Texts of the database that are not a person's or an LVLM's words: pages have to say them in the reader's language.
OURS = {
    ("cluster", "place"),
    ("verdict", "reason"),
    ("verdict", "flag"),
    ("run", "error"),
    ("checkpoint", "attribution_reason"),
    ("audit_entry", "thing"),
}
NAMES = {
    "name",
    "class_name",
    "worst_group_name",
    "words",
    "text",
}  # whose values in a JSON document are names or words


class Marked(NullTranslations):
    def gettext(self, message: str) -> str:
        return f"{OPEN}{message}{CLOSE}"

    def pgettext(self, context: str, message: str) -> str:
        return self.gettext(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


class Bare(HTMLParser):
    """Collects what a person reads or hears and what stands in no marks."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.marks = 0
        self.silent: list[str] = []  # open elements, from the first whose content is no language

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if not self.silent and given.get("lang", "de") == "de" and given.get("translate") != "no":
            for name in SPOKEN:
                self.read(given.get(name) or "")
        is_silent = tag in CODE or given.get("lang", "de") != "de" or given.get("translate") == "no"
        if tag not in VOID and (self.silent or is_silent):
            self.silent.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.silent and tag not in VOID:
            self.silent.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.silent:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.read(data)

    def read(self, text: str) -> None:
        bare = ""
        for letter in text:
            self.marks += (letter == OPEN) - (letter == CLOSE)
            bare += " " if self.marks or letter == CLOSE else letter
        self.found.append(" ".join(bare.split()))


def bare_sentences(page: str, words: Iterable[str]) -> list[str]:
    """What stands in no marks and is neither a name nor among the words of people and LVLMs."""
    parser = Bare()
    parser.feed(page)
    assert parser.marks == 0, "a mark is left open"
    return [text for text in parser.found if says_something(text, words)]


def says_something(text: str, words: Iterable[str]) -> bool:
    if not re.search(r"[^\W\d_]", text):
        return False
    for each in words:
        text = re.sub(rf"(?<!\w){re.escape(each)}(?!\w)", " ", text) if each in text else text
    return any(word not in SAME for word in re.findall(r"[^\W\d_]+", text))


def words_of_people(session: Session) -> list[str]:
    """Every text in the database that somebody wrote or named, the longest first."""
    found = set[str]()
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, Enum) or (table.name, column.name) in OURS:
                continue
            if isinstance(column.type, String):
                found.update(value for value in session.scalars(select(column)) if value)
            elif isinstance(column.type, JSON):
                found.update(name for value in session.scalars(select(column)) for name in names_in(value))
    cleaned = {" ".join(each.split()) for each in found}
    return sorted((each for each in cleaned if len(each) > 1), key=len, reverse=True)


def names_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("by_look") is True or {"text", "evidence"} == value.keys():
            return  # a region by its look, a part of a sentence: computed words
        yield from (str(each) for key, each in value.items() if key in NAMES and isinstance(each, str) and each)
        for each in value.values():
            yield from names_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from names_in(each)
