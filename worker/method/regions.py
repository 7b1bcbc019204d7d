"""What kinds of region carry the evidence for a class: shares that add up, each with its interval and its clusters.

Clusters are of one kind where the LVLM called them the same (``naming``), and, where it did not name them, where they
look the same (``looks``). What lies outside every cluster is a share of its own, so nothing is missing from the whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from worker.method.looks import Look, kinds_by_look
from worker.method.naming import key, most_frequent

Floats = npt.NDArray[np.float64]

# A kind that fewer images have is in the table, but gets no sentence of its own.
MIN_IMAGES = 3
# With less than this, 95 % intervals held the true mean in 44 to 90 % of simulated studies; with more in 87 to 96 %.
FEW_IMAGES, FEW_WITH_IT = 10, 5
ONE_IMAGE = "One image has no interval."
TOO_NARROW = "Few images: the true interval is wider."
RESAMPLES = 2000  # as ``significance`` draws, whose import of scipy takes seconds
PORTION = 1 << 20  # numbers of a bootstrap that are drawn at once
TOLERANCE = 1e-4  # by which the shares of an image, in float32, may exceed 1


@dataclass(frozen=True)
class ClusterFacts:
    """What is known of one cluster.

    share:  of the image's positive evidence, that which lies on the cluster's pixels, 0 to 1.
    words:  what it covers, as the LVLM says; may be empty.
    effect: fall of the probability of the image's label when the cluster is covered.
    """

    image_id: str
    number: int
    share: float
    words: str
    look: Look
    effect: float


@dataclass(frozen=True)
class Evidence:
    """An image and the numbers of those of its clusters that are meant; none for what lies outside its clusters."""

    image_id: str
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Mean:
    """A mean over n images with its 95 % interval.

    missing: why there is no interval, or what is wrong with it; empty where nothing is.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    missing: str = ""


@dataclass(frozen=True)
class Region:
    """One kind of region of a class.

    name:     the LVLM's most frequent wording, or, where ``by_look``, computed words.
    share:    of the positive evidence, over all images, with 0 for those without such a region.
    percent:  the share in whole percent, rounded so that those of a class add up to 100.
    effect:   fall of the probability of the label when one such cluster is covered, over the images that have one.
    clusters: the most evidence first.
    """

    name: str
    by_look: bool
    share: Mean
    percent: int
    effect: Mean
    clusters: tuple[ClusterFacts, ...]

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return evidence_of(self.clusters)

    @property
    def images(self) -> int:
        return len({cluster.image_id for cluster in self.clusters})

    @property
    def is_rare(self) -> bool:
        return self.images < MIN_IMAGES


@dataclass(frozen=True)
class Outside:
    """The evidence outside every cluster; ``evidence`` are the images that have some, the most first."""

    share: Mean
    percent: int
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class ClassRegions:
    """All the evidence for a class: the shares of ``regions``, the largest first, and of ``outside`` add up to 1.

    typical: the images, first those whose evidence lies where most of the class's does.
    """

    images: int
    regions: tuple[Region, ...]
    outside: Outside
    typical: tuple[str, ...]


def regions_of(clusters: Sequence[ClusterFacts], images: Sequence[str], seed: int) -> ClassRegions:
    """Gather the clusters of one class by kind.

    images: the explained images of the class that have positive evidence, each once.
    seed:   of the bootstrap over images.
    Raises ValueError when there is no image, a cluster's image is not among them, or an image's shares exceed 1.
    """
    kinds = kinds_of(clusters)
    table = shares_by_image([kind.clusters for kind in kinds], images)
    shares, percents = means(table, seed), whole_percents(table.mean(axis=0))
    regions = [
        _region(kind, share, percent, seed)
        for kind, share, percent in zip(kinds, shares[:-1], percents[:-1], strict=True)
    ]
    order = np.argsort(-table[:, -1], kind="stable")
    missed = tuple(Evidence(images[index], ()) for index in order if table[index, -1] > 0)
    typical = np.argsort(-(table[:, :-1] @ table[:, :-1].mean(axis=0)), kind="stable")
    return ClassRegions(
        images=len(images),
        regions=tuple(sorted(regions, key=lambda region: (-region.share.value, region.name))),
        outside=Outside(shares[-1], percents[-1], missed),
        typical=tuple(images[index] for index in typical),
    )


@dataclass(frozen=True)
class Kind:
    """Clusters that belong together, with the name that a region of theirs has."""

    name: str
    by_look: bool
    clusters: tuple[ClusterFacts, ...]


def kinds_of(clusters: Sequence[ClusterFacts]) -> list[Kind]:
    """The clusters by what the LVLM called them, and those without a name by how they look."""
    keys = [key(cluster.words) for cluster in clusters]
    nameless = [cluster for cluster, words in zip(clusters, keys, strict=True) if not words]
    looks = kinds_by_look(
        [cluster.look for cluster in nameless],
        [cluster.share for cluster in nameless],
        [cluster.image_id for cluster in nameless],
    )
    named = _together([cluster for cluster, words in zip(clusters, keys, strict=True) if words], filter(None, keys))
    return [
        *(Kind(most_frequent([one.words for one in mine]), by_look=False, clusters=mine) for mine in named.values()),
        *(Kind(look, by_look=True, clusters=mine) for look, mine in _together(nameless, looks).items()),
    ]


def shares_by_image(kinds: Sequence[Sequence[ClusterFacts]], images: Sequence[str]) -> Floats:
    """(n, K + 1): the share of each image's evidence on each kind, and outside all; every row adds up to 1.

    Raises ValueError when a cluster's image is not among them, or an image's shares exceed 1.
    """
    rows = {image: row for row, image in enumerate(images)}
    table = np.zeros((len(images), len(kinds) + 1))
    for column, kind in enumerate(kinds):
        for cluster in kind:
            if cluster.image_id not in rows:
                raise ValueError("A cluster lies in an image that is not among those explained.")
            table[rows[cluster.image_id], column] += cluster.share
    outside = 1 - table.sum(axis=1)
    if (outside < -TOLERANCE).any():
        raise ValueError("The clusters of an image have more than its evidence.")
    table[:, -1] = np.where(outside < TOLERANCE, 0, outside)  # what float32 leaves over is nothing
    whole: Floats = table / table.sum(axis=1, keepdims=True)
    return whole


def means(table: Floats, seed: int) -> list[Mean]:
    """The mean of each column of (n, K) with its percentile bootstrap interval over the rows (Efron 1979).

    The rows are drawn whole, so that all columns are of the same resamples. Raises ValueError when there is no row.
    """
    n = len(table)
    if n == 0:
        raise ValueError("A mean needs at least one image.")
    values = table.mean(axis=0).tolist()
    if n == 1:
        return [Mean(value, None, None, 1, ONE_IMAGE) for value in values]
    # numpy draws with no negative seed, which a run may have.
    generator, portion = np.random.default_rng(abs(seed)), max(1, PORTION // n)
    drawn = [
        generator.multinomial(n, np.full(n, 1 / n), size=min(portion, RESAMPLES - first)) @ table / n
        for first in range(0, RESAMPLES, portion)
    ]
    low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975], axis=0).tolist()
    missing = TOO_NARROW if n < FEW_IMAGES else ""
    return [Mean(value, low[column], high[column], n, missing) for column, value in enumerate(values)]


def whole_percents(shares: Sequence[float] | Floats) -> list[int]:
    """Shares that add up to 1 in whole percent that add up to 100, by the largest remainders (Hamilton's method).

    None is further from its share than 1 %. Raises ValueError when the shares do not add up to 1.
    """
    hundredths = 100 * np.asarray(shares, dtype=float)
    if abs(hundredths.sum() - 100) > 100 * TOLERANCE:
        raise ValueError("The shares do not add up to 1.")
    whole = np.floor(hundredths).astype(int)
    remainders = np.argsort(-(hundredths - whole), kind="stable")
    whole[remainders[: 100 - whole.sum()]] += 1
    return [int(percent) for percent in whole]


def evidence_of(clusters: Sequence[ClusterFacts]) -> tuple[Evidence, ...]:
    """By image, that with the most evidence on these clusters first; the clusters of an image likewise."""
    by_image = _together(clusters, (cluster.image_id for cluster in clusters))
    totals = {image: sum(cluster.share for cluster in mine) for image, mine in by_image.items()}
    return tuple(
        Evidence(image, tuple(cluster.number for cluster in _most_first(by_image[image])))
        for image in sorted(by_image, key=lambda image: (-totals[image], image))
    )


def _region(kind: Kind, share: Mean, percent: int, seed: int) -> Region:
    by_image = _together(kind.clusters, (cluster.image_id for cluster in kind.clusters))
    effects = [[np.mean([cluster.effect for cluster in mine])] for mine in by_image.values()]
    (effect,) = means(np.array(effects, dtype=float), seed)
    if share.n > 1 and len(by_image) < FEW_WITH_IT:
        share = replace(share, missing=TOO_NARROW)
    return Region(kind.name, kind.by_look, share, percent, effect, _most_first(kind.clusters))


def _together(clusters: Iterable[ClusterFacts], keys: Iterable[str]) -> dict[str, tuple[ClusterFacts, ...]]:
    found: dict[str, list[ClusterFacts]] = defaultdict(list)
    for cluster, name in zip(clusters, keys, strict=True):
        found[name].append(cluster)
    return {name: tuple(mine) for name, mine in found.items()}


def _most_first(clusters: Iterable[ClusterFacts]) -> tuple[ClusterFacts, ...]:
    return tuple(sorted(clusters, key=lambda cluster: (-cluster.share, cluster.image_id, cluster.number)))
