"""What a model bases its decisions on, in sentences for a clinician.

Every figure is computed from the clusters; the LVLM lends only the words for what a cluster covers. Every figure keeps
the images it comes from, so that a page can open the evidence behind each sentence.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

UNNAMED = "something that the LVLM did not name"
MAX_FINDINGS = 3  # kinds of evidence that one sentence names; the rest is "elsewhere"
WIDE = 0.2  # standard deviation, in widths of the image, from which a cluster has no one place
CORNER = 0.2  # distance from the border, in widths of the image, that counts as a corner when both ways are within it
EDGES = (0.4, 0.6)  # what lies between is the middle
PLACES = (
    ("upper left part", "upper part", "upper right part"),
    ("left part", "middle", "right part"),
    ("lower left part", "lower part", "lower right part"),
)


@dataclass(frozen=True)
class ClusterFacts:
    """What is known of one cluster.

    share:  of the image's positive evidence, 0 to 1.
    words:  what it covers, as the LVLM says; may be empty.
    effect: change of the probability of the image's label when the cluster is covered; None where not measured.
    """

    image_id: str
    number: int
    share: float
    place: str
    words: str
    effect: float | None = None


@dataclass(frozen=True)
class Part:
    """A piece of a sentence; ``image_ids`` are the images behind a figure, most evidence first."""

    text: str
    image_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sentence:
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


@dataclass
class _Finding:
    """All that lies on one kind of thing."""

    words: str
    evidence: dict[str, float] = field(default_factory=dict)  # share by image
    is_a_place: bool = False
    places: Counter[str] = field(default_factory=Counter)
    effects: dict[str, float] = field(default_factory=dict)  # the largest change by image

    def image_ids(self) -> tuple[str, ...]:
        return tuple(sorted(self.evidence, key=lambda image: (-self.evidence[image], image)))


def place(mean: tuple[float, float], spread: float) -> str:
    """Where a cluster lies, in words.

    mean:   (x, y) in [0, 1], from the upper left corner.
    spread: standard deviation along its longer axis, in widths of the image.
    """
    if spread >= WIDE:
        return "large part of the image"
    x, y = mean
    column, row = (sum(value > edge for edge in EDGES) for value in (x, y))
    if min(x, 1 - x) < CORNER and min(y, 1 - y) < CORNER:
        return PLACES[row][column].replace("part", "corner")
    return PLACES[row][column]


def summarise(class_name: str, clusters: Sequence[ClusterFacts], images: int) -> list[Sentence]:
    """Up to three sentences: where the evidence for the class lies, where in the image, and what covering it does.

    clusters: those of all explained images of the class.
    images:   how many images of the class were explained.
    Raises ValueError when there are clusters but no images.
    """
    if clusters and images < 1:
        raise ValueError("There are clusters but no images.")
    findings = _findings(clusters)
    if not findings:
        return [Sentence((Part(f"No evidence for {class_name} was found."),))]
    sentences = [_what(class_name, findings[:MAX_FINDINGS], images)]
    sentences += [_where(finding) for finding in findings[:MAX_FINDINGS] if not finding.is_a_place]
    return sentences + [_effect(class_name, finding) for finding in findings[:MAX_FINDINGS] if finding.effects]


def _findings(clusters: Sequence[ClusterFacts]) -> list[_Finding]:
    """By what they cover, most evidence first; by place where no LVLM has named any."""
    unnamed = not any(cluster.words for cluster in clusters)
    found: dict[str, _Finding] = {}
    for cluster in clusters:
        words = cluster.words or (f"the {cluster.place}" if unnamed else UNNAMED)
        finding = found.setdefault(words, _Finding(words, is_a_place=unnamed))
        finding.evidence[cluster.image_id] = finding.evidence.get(cluster.image_id, 0.0) + cluster.share
        finding.places[cluster.place] += 1
        if cluster.effect is not None:
            before = finding.effects.get(cluster.image_id, 0.0)
            finding.effects[cluster.image_id] = max(before, cluster.effect, key=abs)
    return sorted(found.values(), key=lambda finding: (-sum(finding.evidence.values()), finding.words))


def _what(class_name: str, findings: Sequence[_Finding], images: int) -> Sentence:
    parts = []
    for index, finding in enumerate(findings):
        share = sum(finding.evidence.values()) / images
        opening = f"{share:.0%} of the evidence for {class_name} lies" if index == 0 else f", {share:.0%}"
        figure = Part(f"in {len(finding.evidence)} of {images} images", finding.image_ids())
        parts += [Part(f"{opening} on {finding.words}, "), figure]
    return Sentence((*parts, Part(".")))


def _where(finding: _Finding) -> Sentence:
    (name, count), total = _most_common(finding.places), finding.places.total()
    return Sentence(
        (
            Part(f"{_capital(finding.words)}: "),
            Part(f"{count} of {total} clusters", finding.image_ids()),
            Part(f" lie in the {name}."),
        )
    )


def _effect(class_name: str, finding: _Finding) -> Sentence:
    mean = sum(finding.effects.values()) / len(finding.effects)
    change = "lowers" if mean < 0 else "raises"
    images = tuple(sorted(finding.effects, key=lambda image: (-abs(finding.effects[image]), image)))
    return Sentence(
        (
            Part(f"Covering it ({finding.words}) {change} the probability of {class_name} by {abs(mean):.2f} "),
            Part("on average, "),
            Part(f"measured on {len(images)} images", images),
            Part("."),
        )
    )


def _most_common(places: Counter[str]) -> tuple[str, int]:
    return min(places.items(), key=lambda item: (-item[1], item[0]))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
