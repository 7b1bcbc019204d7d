"""What changed between two versions, readable word by word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from app.languages.catalogue import gettext, msgid
from app.models import Specification, SpecificationEntry, TargetClass

FIELDS = {
    "spurious": msgid("The model should ignore"),
    "relevant": msgid("The model should use"),
    "notes": msgid("Notes"),
}


class Change(StrEnum):
    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True)
class Span:
    change: Change
    text: str


@dataclass(frozen=True)
class FieldDiff:
    """One changed field of one class."""

    class_name: str
    field: str
    spans: list[Span]


def differences(before: Specification | None, after: Specification, classes: Sequence[TargetClass]) -> list[FieldDiff]:
    """The changed fields in the order of the classes; against nothing, all words are new."""
    return [
        FieldDiff(
            target.name, gettext(title), word_diff(words_of(before, target, field), words_of(after, target, field))
        )
        for target in classes
        for field, title in FIELDS.items()
        if words_of(before, target, field) != words_of(after, target, field)
    ]


def words_of(specification: Specification | None, target: TargetClass, field: str) -> str:
    entries: Sequence[SpecificationEntry] = specification.entries if specification else ()
    text: str = next((getattr(entry, field) for entry in entries if entry.class_id == target.id), "")
    return text.strip()


def word_diff(before: str, after: str) -> list[Span]:
    """Spans whose removed and same texts join to ``before``, whose added and same texts join to ``after``."""
    old, new = tokens(before), tokens(after)
    spans: list[Span] = []
    for operation, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if operation == "equal":
            spans.append(Span(Change.SAME, "".join(old[old_from:old_to])))
            continue
        if old_to > old_from:
            spans.append(Span(Change.REMOVED, "".join(old[old_from:old_to])))
        if new_to > new_from:
            spans.append(Span(Change.ADDED, "".join(new[new_from:new_to])))
    return spans


def tokens(text: str) -> list[str]:
    """Words, spaces and signs, so that nothing is lost: they join to the text."""
    return re.findall(r"\w+|\s+|[^\w\s]", text)
