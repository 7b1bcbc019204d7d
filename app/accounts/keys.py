"""The single keys of all pages, in one catalogue, and those that a person chose instead."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.languages.catalogue import gettext, msgid
from app.models.user import User


class Part(StrEnum):
    """What a key belongs to: the headings of the list, in this order."""

    REVIEW = msgid("Review")
    PICTURES = msgid("Pictures")
    LIST = msgid("This list")


@dataclass(frozen=True)
class Shortcut:
    """A key that presses the button or opens the field which carries its name."""

    name: str
    key: str  # unless the person chose another
    words: str
    part: Part


SHORTCUTS = (
    Shortcut("spurious", "s", msgid("Spurious: the model should not use this region"), Part.REVIEW),
    Shortcut("relevant", "r", msgid("Relevant: a good reason"), Part.REVIEW),
    Shortcut("cant_tell", "t", msgid("Can’t tell: it stays out of the training"), Part.REVIEW),
    Shortcut("note", "n", msgid("Write a note; Escape leads back to the answers"), Part.REVIEW),
    Shortcut("undo", "u", msgid("Undo the last answer"), Part.REVIEW),
    Shortcut("hide", "h", msgid("Hide the regions while it is held"), Part.PICTURES),
    Shortcut("larger", "+", msgid("Enlarge"), Part.PICTURES),
    Shortcut("smaller", "-", msgid("Make smaller"), Part.PICTURES),
    Shortcut("fit", "0", msgid("Fit into the frame"), Part.PICTURES),
    Shortcut("more_contrast", "c", msgid("More contrast (narrower window)"), Part.PICTURES),
    Shortcut("less_contrast", "x", msgid("Less contrast (wider window)"), Part.PICTURES),
    Shortcut("brighter", "b", msgid("Brighter (lower level)"), Part.PICTURES),
    Shortcut("darker", "v", msgid("Darker (higher level)"), Part.PICTURES),
    Shortcut("invert", "i", msgid("Invert"), Part.PICTURES),
    Shortcut("plain", "g", msgid("Grey values as they came"), Part.PICTURES),
    Shortcut("keys", "?", msgid("Show this list"), Part.LIST),
)
NAMES = {shortcut.name: shortcut for shortcut in SHORTCUTS}


class KeyChoiceError(Exception):
    """The keys can't be chosen so; the message is a sentence for a person."""


@dataclass(frozen=True)
class Keys:
    """A person's keys; ``keys["spurious"]`` is one, empty where another shortcut was given its default."""

    on: bool = True
    chosen: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        if name in self.chosen:
            return self.chosen[name]
        default = NAMES[name].key
        return "" if default in self.chosen.values() else default

    def listed(self, parts: Sequence[str]) -> list[tuple[str, list[Shortcut]]]:
        """The shortcuts under their headings."""
        return [(part, [each for each in SHORTCUTS if each.part == part]) for part in parts]


def keys_of(user: User) -> Keys:
    return Keys(user.single_keys, {name: key for name, key in user.keys.items() if name in NAMES})


def choose_keys(user: User, wanted: Iterable[tuple[str, str]], *, on: bool) -> None:
    """Other shortcuts keep their keys. Raises KeyChoiceError where one is no single sign, or two are alike."""
    keys = keys_of(user)
    all_keys = {name: keys[name] for name in NAMES if keys[name]} | {name: key.strip().lower() for name, key in wanted}
    for name, key in all_keys.items():
        if name not in NAMES:
            raise KeyChoiceError(gettext("There is no such shortcut."))
        if len(key) != 1 or not key.isprintable():
            raise KeyChoiceError(
                gettext(
                    "“%(words)s” needs one key that writes a sign, such as a letter.", words=gettext(NAMES[name].words)
                )
            )
    by_key: dict[str, str] = {}
    for name, key in all_keys.items():
        if key in by_key:
            raise KeyChoiceError(
                gettext(
                    "“%(one)s” and “%(other)s” have the same key, %(key)s. Give each its own.",
                    one=gettext(NAMES[by_key[key]].words),
                    other=gettext(NAMES[name].words),
                    key=key.upper(),
                )
            )
        by_key[key] = name
    user.single_keys = on
    user.keys = {name: key for name, key in all_keys.items() if key != NAMES[name].key}


def reset_keys(user: User) -> None:
    user.single_keys, user.keys = True, {}
