"""What the evidence for a class lies on: clusters gathered by what they cover, in SQL, over all images at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from uuid import UUID

from sqlalchemy import CTE, case, func, or_, select
from sqlalchemy.orm import Session, joinedload

from app.models import Cluster, Explanation, Image
from app.models.figures import Estimate

NORMAL_95 = 1.96
SHOWN_REGIONS = 4
EXAMPLES = 2


@dataclass(frozen=True)
class Region:
    """A kind of region: the clusters of a class with the same words of the LVLM, or, without words, the same place."""

    words: str
    place: str  # empty where there are words
    evidence: Estimate  # mean share of the positive evidence, over all explained images of the class
    images: int  # that have such a cluster
    effect: float  # mean fall of P(label) when it is covered, over those images

    @property
    def name(self) -> str:
        return self.words or self.place


@dataclass(frozen=True)
class ClassEvidence:
    """All regions of one class, the heaviest first."""

    images: int
    regions: tuple[Region, ...]

    @property
    def shown(self) -> tuple[Region, ...]:
        return self.regions[:SHOWN_REGIONS]

    @property
    def other(self) -> float:
        """The share of the regions that are too light to be shown one by one."""
        return sum(region.evidence.value or 0.0 for region in self.regions[SHOWN_REGIONS:])


NOTHING = ClassEvidence(0, ())


def evidence_by_class(session: Session, analysis_id: UUID) -> dict[UUID, ClassEvidence]:
    """Class id -> its regions; two statements, whatever the number of images."""
    counts = images_by_class(session, analysis_id)
    regions = region_shares(analysis_id)
    rows = session.execute(
        select(
            regions.c.class_id,
            regions.c.words,
            regions.c.place,
            func.count(),
            func.sum(regions.c.share),
            func.sum(regions.c.share * regions.c.share),
            func.avg(regions.c.effect),
        ).group_by(regions.c.class_id, regions.c.words, regions.c.place)
    )
    found: dict[UUID, list[Region]] = defaultdict(list)
    for class_id, words, place, images, total, squares, effect in rows:
        estimate = mean_share(total, squares, counts[class_id])
        found[class_id].append(Region(words, place, estimate, images, effect))
    return {
        class_id: ClassEvidence(
            count, tuple(sorted(found[class_id], key=lambda region: (-(region.evidence.value or 0), region.name)))
        )
        for class_id, count in counts.items()
    }


def images_by_class(session: Session, analysis_id: UUID) -> dict[UUID, int]:
    rows = session.execute(
        select(Image.class_id, func.count())
        .join(Explanation, Explanation.image_id == Image.id)
        .where(Explanation.run_id == analysis_id)
        .group_by(Image.class_id)
    )
    return {class_id: count for class_id, count in rows}  # noqa: C416  a Row is no pair to mypy


def mean_share(total: float, squares: float, n: int) -> Estimate:
    """Mean over ``n`` images, of which those without the region count as 0, with its normal 95 % interval."""
    mean = total / n
    if n < 2:  # noqa: PLR2004  one image has no spread
        return Estimate(value=mean, n=n)
    variance = max(0.0, (squares - n * mean * mean) / (n - 1))
    margin = NORMAL_95 * sqrt(variance / n)
    return Estimate(value=mean, low=max(0.0, mean - margin), high=min(1.0, mean + margin), n=n)


def region_shares(analysis_id: UUID) -> CTE:
    """One row for every explanation and region: class, words or place, summed share and effect of its clusters."""
    place = case((Cluster.words == "", Cluster.place), else_="").label("place")
    return (
        select(
            Image.class_id,
            Cluster.explanation_id,
            Cluster.words,
            place,
            func.sum(Cluster.share).label("share"),
            func.sum(Cluster.effect).label("effect"),
        )
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .where(Explanation.run_id == analysis_id)
        .group_by(Image.class_id, Cluster.explanation_id, Cluster.words, place)
        .cte("region_shares")
    )


@dataclass(frozen=True)
class Examples:
    """Explanations of one class: with the evidence where most of the class has it, and where it does not."""

    typical: tuple[Explanation, ...]
    untypical: tuple[Explanation, ...]


def examples_by_class(session: Session, analysis_id: UUID) -> dict[UUID, Examples]:
    """An explanation is typical when its evidence lies on the regions that carry most of its class's evidence."""
    regions = region_shares(analysis_id)
    totals = (
        select(regions.c.class_id, regions.c.words, regions.c.place, func.sum(regions.c.share).label("total"))
        .group_by(regions.c.class_id, regions.c.words, regions.c.place)
        .cte("totals")
    )
    same = (
        (regions.c.class_id == totals.c.class_id)
        & (regions.c.words == totals.c.words)
        & (regions.c.place == totals.c.place)
    )
    score = func.sum(regions.c.share * totals.c.total)
    ranked = (
        select(
            regions.c.class_id,
            regions.c.explanation_id,
            func.row_number()
            .over(partition_by=regions.c.class_id, order_by=(score.desc(), regions.c.explanation_id))
            .label("from_top"),
            func.row_number()
            .over(partition_by=regions.c.class_id, order_by=(score, regions.c.explanation_id.desc()))
            .label("from_bottom"),
        )
        .join(totals, same)
        .group_by(regions.c.class_id, regions.c.explanation_id)
        .cte("ranked")
    )
    rows = session.execute(
        select(ranked.c.class_id, ranked.c.from_top, ranked.c.from_bottom, Explanation)
        .join(Explanation, Explanation.id == ranked.c.explanation_id)
        .where(or_(ranked.c.from_top <= EXAMPLES, ranked.c.from_bottom <= EXAMPLES))
        .order_by(ranked.c.class_id, ranked.c.from_top)
        .options(joinedload(Explanation.image))
    )
    by_class: dict[UUID, list[tuple[int, Explanation]]] = defaultdict(list)
    for class_id, from_top, _, explanation in rows:
        by_class[class_id].append((from_top, explanation))
    return {class_id: split_examples(found) for class_id, found in by_class.items()}


def split_examples(found: Sequence[tuple[int, Explanation]]) -> Examples:
    return Examples(
        tuple(explanation for rank, explanation in found if rank <= EXAMPLES),
        tuple(explanation for rank, explanation in found if rank > EXAMPLES),
    )
