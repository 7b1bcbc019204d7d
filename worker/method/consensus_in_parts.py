"""The consensus of a whole run, however large: in parts, because it takes N^3 operations and several N^2 numbers.

Images are dealt at random, by a seed, to parts of at most about ``MOST`` clusters. The reviewed images are in every
part, so that people's few words reach all clusters; where they are so many that they would fill the parts, some of them
are dealt like the others. A cluster is compared with those of its part only: its nearest ones are the nearest of the
part, and a review that was dealt speaks in its part alone. A run of at most ``MOST`` clusters is one part.

Where the judge's words can't be read, people's alone are carried over to other images, once they are enough.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

import numpy as np

from worker.method.consensus import NEAREST, Consensus, FellBack, Indices, Probe, Source, consensus, probe
from worker.method.next_to_review import next_to_review
from worker.method.similarity import Clusters, Floats

MOST = 3000
# Reviews alone, without a judge to read, are carried over from so many on, with so many of either answer. On 500
# clusters of digits and of synthetic lesions, 8 that were chosen to tell most gave a balanced accuracy of .99 and .98;
# with one answer missing or given once it was .50 to .75, and as sure of itself.
LEAST_REVIEWS, LEAST_OF_EITHER = 8, 2
HALF = 0.5
# The reviewed images that are in every part may fill this much of it.
REVIEWED_PART = 0.5


@dataclass(frozen=True)
class Agreement:
    """The consensus on all N clusters.

    order:     the clusters whose review would change most, the most telling first; the parts take turns.
    fell_back: why, in some part, the judge's words on other images were not read; NOT where all were.
    """

    consensus: Consensus
    order: list[int]
    fell_back: FellBack


def agree(
    clusters: Clusters,
    judged: Floats,
    reviews: Mapping[int, bool],
    count: int,
    *,
    not_these: Collection[int] = (),
    seed: int = 0,
    most: int = MOST,
    check: Callable[[], None] = lambda: None,
) -> Agreement:
    """The verdicts on all clusters, and which ``count`` of them to review next.

    judged: (N,) P(spurious), NaN where the judge said nothing; reviews: cluster -> whether a person called it spurious.
    not_these: clusters that nobody is to be asked about; check: called between the parts, may raise.
    """
    whole, orders, told = _nothing_yet(len(clusters)), list[list[int]](), list[FellBack]()
    for members in parts(clusters.images, reviews, seed, most):
        check()
        found = probe(_some(clusters, members), judged[members])
        here = {index: reviews[member] for index, member in enumerate(members.tolist()) if member in reviews}
        asked = [index for index, member in enumerate(members.tolist()) if member in not_these]
        whole = _with(whole, members, consensus(found, here if not found.fell_back or are_enough(here) else {}))
        orders.append(_order(found, here, count, asked, members))
        told.append(found.fell_back)
    in_turns = dict.fromkeys(each for each in chain(*zip_longest(*orders)) if each is not None)
    return Agreement(
        _reviewed(whole, judged, reviews), list(in_turns)[:count], next((why for why in told if why), FellBack.NOT)
    )


def are_enough(reviews: Mapping[int, bool]) -> bool:
    """Whether reviews alone, without a judge to read, tell the kinds of region apart."""
    spurious = sum(reviews.values())
    return len(reviews) >= LEAST_REVIEWS and min(spurious, len(reviews) - spurious) >= LEAST_OF_EITHER


def parts(images: Indices, reviewed: Collection[int], seed: int = 0, most: int = MOST) -> Iterator[Indices]:
    """The clusters of each part, in their order: images: (N,) which image each is of; reviewed: clusters."""
    if len(images) <= most:
        yield np.arange(len(images))
        return
    generator = np.random.default_rng(seed)
    with_review = generator.permutation(np.unique(images[list(reviewed)]))
    shared = with_review[np.cumsum([np.sum(images == each) for each in with_review]) <= REVIEWED_PART * most]
    everywhere = np.isin(images, shared)
    dealt = generator.permutation(np.setdiff1d(images, shared))
    count = math.ceil(int(np.sum(~everywhere)) / (most - int(np.sum(everywhere))))
    for number in range(count):
        yield np.flatnonzero(everywhere | np.isin(images, dealt[number::count]))


def _order(
    found: Probe, reviews: Mapping[int, bool], count: int, not_these: Collection[int], members: Indices
) -> list[int]:
    return [int(members[index]) for index in next_to_review(found, reviews, count, not_these)]


def _some(clusters: Clusters, members: Indices) -> Clusters:
    activations = None if clusters.activations is None else clusters.activations[members]
    return Clusters(
        clusters.images[members],
        clusters.classes[members],
        clusters.share[members],
        clusters.features[members],
        activations,
    )


def _nothing_yet(count: int) -> Consensus:
    judge: Source = "judge"
    return Consensus(
        p_spurious=np.full(count, np.nan),
        spurious=np.zeros(count, dtype=bool),
        source=(judge,) * count,
        overruled=np.zeros(count, dtype=bool),
        nearest=np.full((count, NEAREST), -1, dtype=np.int64),
        reason=np.full(count, -1, dtype=np.int64),
    )


def _reviewed(whole: Consensus, judged: Floats, reviews: Mapping[int, bool]) -> Consensus:
    """A person's word stands on its own cluster, whether it was carried over or not."""
    source: list[Source] = list(whole.source)
    for index, answer in reviews.items():
        whole.p_spurious[index], whole.spurious[index], whole.reason[index] = float(answer), answer, -1
        whole.overruled[index] = (judged[index] < HALF) if answer else (judged[index] > HALF)
        source[index] = "review"
    return replace(whole, source=tuple(source))


def _with(whole: Consensus, members: Indices, part: Consensus) -> Consensus:
    """What is known already stays: a reviewed image has the same reviews in every part."""
    new = np.isnan(whole.p_spurious[members])
    at, to_whole = members[new], np.append(members, -1)  # the last one for -1, which is no cluster
    source: list[Source] = list(whole.source)
    for index, word, is_new in zip(members.tolist(), part.source, new.tolist(), strict=True):
        if is_new:
            source[index] = word
    for kept, found in (
        (whole.p_spurious, part.p_spurious),
        (whole.spurious, part.spurious),
        (whole.overruled, part.overruled),
        (whole.nearest, to_whole[part.nearest]),
        (whole.reason, to_whole[part.reason]),
    ):
        kept[at] = found[new]
    return replace(whole, source=tuple(source))
