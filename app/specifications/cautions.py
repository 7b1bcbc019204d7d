"""What is missing in a specification, is vague, or contradicts itself, said before anything is saved."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.languages.catalogue import gettext, quoted
from app.runs.parameters import EntryText

SEPARATORS = re.compile(r"[,;:.\n()]|\band\b|\bor\b", re.IGNORECASE)
FILLERS = {"a", "an", "the", "any", "all", "some", "only", "just", "very", "that", "which", "is", "are"}
# A feature of these words alone can be seen in no picture, or in every one.
VAGUE_WORDS = (
    "abnormal abnormality anomaly area artefact artifact bad certain correct different feature finding good image "
    "important in irrelevant it marking noise normal object obvious odd of on other part pathological pathology "
    "pattern picture place region relevant sign something spot spurious strange structure stuff suspicious thing "
    "typical unclear unimportant unusual usual weird wrong"
)
VAGUE = frozenset(VAGUE_WORDS.split())
LONGEST_KEPT_S = 3  # "gas" stays, "letters" becomes "letter"


@dataclass(frozen=True)
class Caution:
    """A sentence for the clinician, beside the card of the class it is about."""

    class_id: UUID
    text: str


def cautions_on(
    entries: Sequence[EntryText], names: Mapping[UUID, str], seen: Mapping[UUID, Sequence[str]]
) -> list[Caution]:
    """seen: what the LVLM called the regions of each class's pictures, before it knew of any specification."""
    return [
        *missing_words(entries, names),
        *vague_words(entries),
        *contradictions(entries, names),
        *not_seen(entries, names, seen),
    ]


def missing_words(entries: Sequence[EntryText], names: Mapping[UUID, str]) -> list[Caution]:
    found = []
    for entry in entries:
        name = names[entry.class_id]
        if not entry.spurious.strip() and not entry.relevant.strip():
            text = gettext("Nothing is said of %(name)s: its pictures will come back as uncertain.", name=name)
        elif not entry.relevant.strip():
            text = gettext(
                "What should the model use for %(name)s? Without it, the critic knows only what to refuse.", name=name
            )
        elif not entry.spurious.strip():
            text = gettext(
                "What should the model ignore for %(name)s? Without it, the critic can only guess what is a shortcut.",
                name=name,
            )
        else:
            continue
        found.append(Caution(entry.class_id, text))
    return found


def vague_words(entries: Sequence[EntryText]) -> list[Caution]:
    return [
        Caution(
            entry.class_id,
            gettext(
                "“%(words)s” could be anything: say what it looks like, such as its shape, its colour or its place.",
                words=words,
            ),
        )
        for entry in entries
        for text in (entry.spurious, entry.relevant)
        for feature, words in features(text).items()
        if feature <= VAGUE
    ]


def contradictions(entries: Sequence[EntryText], names: Mapping[UUID, str]) -> list[Caution]:
    """A feature to be ignored here that is to be used here or for another class."""
    used = [(entry.class_id, features(entry.relevant)) for entry in entries]
    found = []
    for entry in entries:
        for feature, words in features(entry.spurious).items():
            for class_id, relevant in used:
                if feature in relevant:
                    text = contradiction(words, names[entry.class_id], names[class_id])
                    found.append(Caution(entry.class_id, text))
    return found


def contradiction(words: str, name: str, other: str) -> str:
    if name == other:
        return gettext("“%(words)s” is to be ignored for %(name)s, and to be used too.", words=words, name=name)
    return gettext(
        "“%(words)s” is to be ignored for %(name)s, and to be used for %(other)s.", words=words, name=name, other=other
    )


def not_seen(
    entries: Sequence[EntryText], names: Mapping[UUID, str], seen: Mapping[UUID, Sequence[str]]
) -> list[Caution]:
    """Features of which no word stands in the name of any region: misspelt, or called otherwise."""
    found = []
    for entry in entries:
        called = {word for name in seen.get(entry.class_id, ()) for feature in features(name) for word in feature}
        named = features(entry.spurious) | features(entry.relevant)
        strange = [quoted(words) for feature, words in named.items() if not feature <= VAGUE and not feature & called]
        if called and strange:
            *most, last = strange
            listed = gettext("%(most)s or %(last)s", most=", ".join(most), last=last) if most else last
            text = gettext(
                "In the pictures of %(name)s the LVLM called no region anything like %(listed)s. "
                "Try it to see whether the critic finds it there.",
                name=names[entry.class_id],
                listed=listed,
            )
            found.append(Caution(entry.class_id, text))
    return found


def features(text: str) -> dict[frozenset[str], str]:
    """The features that a text names, as sets of plain words, each with the words as they were written."""
    found: dict[frozenset[str], str] = {}
    for part in SEPARATORS.split(text):
        plain = frozenset(singular(word) for word in re.findall(r"\w+", part.lower()) if word not in FILLERS)
        if plain:
            found.setdefault(plain, part.strip())
    return found


def singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > LONGEST_KEPT_S else word
