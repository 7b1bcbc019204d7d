"""What a model bases its decisions on, in sentences for a clinician.

Every figure is computed from the clusters; the LVLM lends only names, which stand in quotation marks. Every sentence
keeps the images and clusters that it is about, so that a page can open the evidence behind it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from worker.method.looks import EVERYWHERE
from worker.method.regions import MIN_IMAGES, ClassRegions, Evidence, Mean, Region, evidence_of

MAX_NAMED = 3  # kinds of region that have a sentence of their own
MINUS = "\N{MINUS SIGN}"
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
WIDE = 0.2  # standard deviation, in widths of the image, from which a cluster has no one place
CORNER = 0.2  # distance from the border, in widths of the image, that counts as a corner when both ways are within it
EDGES = (0.4, 0.6)  # what lies between is the middle
PLACES = (
    ("upper left part", "upper part", "upper right part"),
    ("left part", "middle", "right part"),
    ("lower left part", "lower part", "lower right part"),
)


@dataclass(frozen=True)
class Part:
    """A piece of a sentence; where it is a figure, with the clusters behind it, the most evidence first."""

    text: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Sentence:
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


def place(mean: tuple[float, float], spread: float) -> str:
    """Where a cluster lies, in words.

    mean:   (x, y) in [0, 1], from the upper left corner.
    spread: standard deviation along its longer axis, in widths of the image.
    """
    if spread >= WIDE:
        return EVERYWHERE
    x, y = mean
    column, row = (sum(value > edge for edge in EDGES) for value in (x, y))
    if min(x, 1 - x) < CORNER and min(y, 1 - y) < CORNER:
        return PLACES[row][column].replace("part", "corner")
    return PLACES[row][column]


def summarise(class_name: str, found: ClassRegions) -> list[Sentence]:
    """One sentence for each of the kinds of region that carry most evidence, and one for all the rest.

    A kind that fewer than MIN_IMAGES images have is part of the rest. No sentence is without evidence, and the whole
    percents of the sentences add up to 100 but for what rounds to nothing.
    """
    named = [region for region in found.regions if not region.is_rare and region.percent][:MAX_NAMED]
    rest = _rest(class_name, found, [region for region in found.regions if region not in named])
    return [_kind(class_name, region) for region in named] + ([rest] if rest else [])


def _kind(class_name: str, region: Region) -> Sentence:
    """What lies on one kind of region, in how many images, where, and what covering it does."""
    share = f"{percent(region.percent)}{_interval(region.share)} of the evidence for {class_name}"
    count = Part(f"in {region.images} of {region.share.n} images", region.evidence)
    covering = Part(f"; covering one {_change(region.effect, class_name)}.")
    return Sentence((Part(f"{share} lies on {quoted(region)}, "), count, *_where(region), covering))


def _where(region: Region) -> tuple[Part, ...]:
    """In which place most clusters of a named kind lie; a look has its place in its words."""
    if region.by_look:
        return ()
    places = Counter(cluster.look.place for cluster in region.clusters)
    main = min(places, key=lambda name: (-places[name], name))
    there = [cluster for cluster in region.clusters if cluster.look.place == main]
    text = f"{len(there)} of {len(region.clusters)} regions {located(main)}"
    return Part(", "), Part(text, evidence_of(there))


def _rest(class_name: str, found: ClassRegions, others: Sequence[Region]) -> Sentence | None:
    """What the other sentences leave: lighter and rarer kinds, and what lies outside every cluster."""
    pieces = []
    if share := sum(region.percent for region in others):
        evidence = evidence_of([cluster for region in others for cluster in region.clusters])
        pieces.append((share, f"on {_others(found, others)}", evidence))
    if found.outside.percent:
        pieces.append((found.outside.percent, "outside every region", found.outside.evidence))
    if not pieces:
        return None
    of = "" if len(others) < len(found.regions) else f" of the evidence for {class_name}"
    parts = []
    for index, (share, where, evidence) in enumerate(pieces):
        opening = f"{'Another ' if not of else ''}{percent(share)}{of} lies" if index == 0 else f"; {percent(share)}"
        parts += [Part(f"{opening} {where}, "), Part(f"in {len(evidence)} of {found.images} images", evidence)]
    return Sentence((*parts, Part(".")))


def _others(found: ClassRegions, others: Sequence[Region]) -> str:
    if len(others) < len(found.regions):
        return "other things"
    return f"things of which none recurs in {MIN_IMAGES} images" if all(r.is_rare for r in others) else "many things"


def _interval(share: Mean) -> str:
    if share.low is None or share.high is None:
        return " (of one image)"
    few = ", of few images" if share.missing else ""
    return f" (95{NARROW_SPACE}% interval {100 * share.low:.0f}–{100 * share.high:.0f}{few})"


def _change(effect: Mean, class_name: str) -> str:
    """``lowers the probability of healthy by 31 points on average (20 to 40)``."""
    points, ends = round(100 * effect.value), (effect.low, effect.high)
    if points == 0:
        return f"changes the probability of {class_name} by less than a point on average"
    # The ends are those of the change that is named, the smaller first.
    turned = sorted(100 * end * (1 if points > 0 else -1) for end in ends if end is not None)
    between = f" ({' to '.join(f'{end:.0f}'.replace('-', MINUS) for end in turned)})" if turned else ""
    verb = "lowers" if points > 0 else "raises"
    unit = "point" if abs(points) == 1 else "points"
    return f"{verb} the probability of {class_name} by {abs(points)} {unit} on average{between}"


def quoted(region: Region) -> str:
    """Words of the LVLM stand in quotation marks, computed ones do not."""
    return region.name if region.by_look else f"“{region.name}”"


def located(place_name: str) -> str:
    return f"over a {place_name}" if place_name == EVERYWHERE else f"in the {place_name}"


def percent(whole: int) -> str:
    return f"{whole}{NARROW_SPACE}%"
