"""The language in which the embedded LVLM is taught to listen: phrases of specifications and nouns of three domains.

A phrase has places for things: {x}, and in ``not`` also {y}, each a list of nouns ("the square and the background").
Phrases stand in families, one way of thinking each. Whole families and single nouns are held out: training never shows
them, so they measure whether the model understands or only remembers. Others are no lesson either and fit the model's
probabilities, so that it knows how sure it may be of words that are new to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal, get_args

from pydantic import ConfigDict, TypeAdapter

PHRASES = Path(__file__).with_name("phrases.json")
NOUNS = Path(__file__).with_name("nouns.json")
STRICT = ConfigDict(strict=True, extra="forbid")

Part = Literal["training", "calibration", "held out"]
CALIBRATING = 10  # every so many-th family and noun that is not held out
Domain = Literal["digits", "radiograph", "skin"]
# Where a phrase stands and what it says: {x} matters ("for", "only"), {x} doesn't ("against", "notes_against"), all but
# {x} doesn't ("rest"), all but {x} matters ("except"), {x} matters and {y} doesn't ("not"). "against" and "rest" belong
# in the field of what the model should ignore, "notes_against" in the notes, all others in what it should use.
Kind = Literal["for", "against", "only", "rest", "except", "not", "notes_against"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Families = Mapping[str, tuple[str, ...]]  # the templates of each family


@dataclass(frozen=True)
class ThingWords:
    """What a thing in the pictures may be called: any adjective, noun and place go together, also without adjective
    or place.

    In the nouns of a digit's strokes {name} ("seven") and {label} (7) stand for the class.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    nouns: tuple[str, ...]
    held_out_nouns: tuple[str, ...]
    adjectives: tuple[str, ...]
    places: tuple[str, ...]

    def of(self, part: Part) -> tuple[str, ...]:
        """Its nouns of one part."""
        return self.held_out_nouns if part == "held out" else tuple(_every(self.nouns, part))


@dataclass(frozen=True)
class DomainWords:
    """What can be said of one domain's pictures.

    artefact:   the grey square in a corner; the lead side marker; the adhesive patch.
    core:       the strokes of the digit; the knee joint; the lesion.
    background: the empty black; soft tissue and empty film; the normal skin.
    others:     things that are none of the three.
    notes:      facts about the pictures that speak neither for nor against any of the three.
    classes:    names of each class; none for digits, whose names are their figures.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    artefact: ThingWords
    core: ThingWords
    background: ThingWords
    others: tuple[str, ...]
    notes: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Nouns:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    domains: Mapping[Domain, DomainWords]
    clinical_words: Mapping[str, tuple[str, ...]]


@cache
def phrases(part: Part) -> Mapping[Kind, Families]:
    """Families of each kind that belong to one part.

    Raises ValidationError for a file of another form, ValueError where a family is held out that does not exist.
    """
    everything = TypeAdapter(dict[Kind | Literal["held_out"], dict[str, tuple[str, ...]]]).validate_json(
        PHRASES.read_bytes(), strict=True
    )
    return MappingProxyType({kind: _of_part(everything[kind], everything["held_out"][kind], part) for kind in KINDS})


def templates(kind: Kind, part: Part) -> tuple[str, ...]:
    """All phrases of a kind, whatever their family."""
    return tuple(chain.from_iterable(phrases(part)[kind].values()))


def nouns(domain: Domain) -> DomainWords:
    """The words of a domain. Raises ValidationError for a file of another form."""
    return _nouns().domains[domain]


def clinical_words() -> tuple[str, ...]:
    """Words that clinicians may write in a specification, each once: for the vocabulary, not for any phrase."""
    return tuple(chain.from_iterable(_nouns().clinical_words.values()))


@cache
def _nouns() -> _Nouns:
    return TypeAdapter(_Nouns).validate_json(NOUNS.read_bytes())


def _of_part(families: Families, held_out: tuple[str, ...], part: Part) -> Families:
    if unknown := set(held_out) - set(families):
        raise ValueError(f"There are no families {sorted(unknown)} to hold out.")
    names = (
        set(held_out) if part == "held out" else set(_every([name for name in families if name not in held_out], part))
    )
    return MappingProxyType({name: said for name, said in families.items() if name in names})


def _every(known: Sequence[str], part: Part) -> list[str]:
    """The last of every CALIBRATING for calibration, all others for training."""
    return [
        name for index, name in enumerate(known) if (index % CALIBRATING == CALIBRATING - 1) == (part == "calibration")
    ]
