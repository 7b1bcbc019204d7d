"""What an analysis says of a class, as its run stores it under ``result["summaries"]`` by class id."""

from uuid import UUID

from app.models.figures import Estimate, Stored

SHOWN = 4  # kinds of region that a bar shows one by one


class Evidence(Stored):
    """An explanation and the numbers of the clusters that are meant; none for what lies outside its clusters."""

    explanation_id: UUID
    numbers: tuple[int, ...] = ()


class Part(Stored):
    """A piece of a sentence; a figure has the evidence behind it, the most first."""

    text: str
    evidence: tuple[Evidence, ...] = ()


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
    evidence: tuple[Evidence, ...]

    @property
    def quoted(self) -> str:
        """Words of the LVLM stand in quotation marks."""
        return self.name if self.by_look else f"“{self.name}”"


class Outside(Stored):
    """The evidence outside every cluster."""

    share: Estimate
    percent: int
    evidence: tuple[Evidence, ...]


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
