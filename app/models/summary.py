"""What an analysis says of a class, as its run stores it under ``result["summaries"]`` by class id.

Beside them they are stored once more in short, since the pictures behind the figures may be thousands.
"""

from collections.abc import Sequence
from typing import Any, overload
from uuid import UUID

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from app.models.figures import Estimate, Stored

SHOWN = 4  # kinds of region that a bar shows one by one
SUMMARIES, SHORT = "summaries", "short_summaries"


class Evidence(Stored):
    """An explanation and the numbers of the clusters that are meant; none for what lies outside its clusters."""

    explanation_id: UUID
    numbers: tuple[int, ...] = ()


class Behind(Sequence[Evidence]):
    """The evidence behind a figure, the most first.

    It may name every picture of a class while a page shows a few, so that each is read only when it is looked at.
    """

    def __init__(self, told: Sequence[Any] = ()) -> None:
        self._told = told  # as ``Evidence``, or as that is stored

    @overload
    def __getitem__(self, key: int) -> Evidence: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Evidence, ...]: ...
    def __getitem__(self, key: int | slice) -> Evidence | tuple[Evidence, ...]:
        if isinstance(key, slice):
            return tuple(map(Evidence.model_validate, self._told[key]))
        return Evidence.model_validate(self._told[key])

    def __len__(self) -> int:
        return len(self._told)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self[:] == tuple(other)

    def __hash__(self) -> int:
        return hash(self[:])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source
        stored = handler(tuple[Evidence, ...])
        written = core_schema.plain_serializer_function_ser_schema(lambda behind: behind[:], return_schema=stored)
        listed = core_schema.list_schema()
        return core_schema.no_info_after_validator_function(cls, listed, serialization=written)


class Part(Stored):
    """A piece of a sentence; a figure has the evidence behind it, the most first."""

    text: str
    evidence: Behind = Behind()


class Sentence(Stored):
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


class Region(Stored):
    """A kind of region: what the LVLM called the same or, where ``by_look``, what looks alike, in computed words."""

    name: str
    by_look: bool
    share: Estimate  # of the positive evidence, over all images of the class that have some
    percent: int  # the share, rounded so that those of a class add up to 100
    images: int  # that have such a region
    effect: Estimate  # fall of P(label) when one such cluster is covered, over those images
    evidence: Behind

    @property
    def quoted(self) -> str:
        """Words of the LVLM stand in quotation marks."""
        return self.name if self.by_look else f"“{self.name}”"


class Outside(Stored):
    """The evidence outside every cluster."""

    share: Estimate
    percent: int
    images: int  # that have such evidence
    evidence: Behind


class ClassSummary(Stored):
    """The regions of one class, the heaviest first; their shares and that outside them add up to 1."""

    images: int  # explained images of the class in which anything speaks for it
    without_evidence: int  # explained images of the class in which nothing does
    regions: tuple[Region, ...] = ()
    outside: Outside | None = None  # None where no image has evidence
    sentences: tuple[Sentence, ...] = ()
    typical: tuple[UUID, ...] = ()  # explanations, first that whose evidence lies where most of the class's does
    untypical: tuple[UUID, ...] = ()  # the last that whose evidence does so least

    @property
    def shown(self) -> tuple[Region, ...]:
        return self.regions[:SHOWN]

    @property
    def other_percent(self) -> int:
        """Of the regions that are too light to be shown one by one."""
        return sum(region.percent for region in self.regions[SHOWN:])


def kept(summaries: dict[str, Any]) -> dict[str, Any]:
    """What a run's result holds of them; summaries: ``ClassSummary`` by class id, as JSON."""
    return {SUMMARIES: summaries, SHORT: short(summaries)}


def short(told: Any) -> Any:  # noqa: ANN401  any part of a summary's JSON
    """With the first alone of the pictures behind each figure, which says that there are some."""
    match told:
        case dict():
            return {name: value[:1] if name == "evidence" else short(value) for name, value in told.items()}
        case list():
            return [short(each) for each in told]
    return told
