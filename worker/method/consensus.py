"""Consensus over images: what the judge says of similar clusters elsewhere, corrected by the few that people reviewed.

Two Gaussian processes on one measure of similarity between clusters (Rasmussen & Williams 2006, ch. 2). The first is
the probe: it reads the judge's words as noisy measurements of what a cluster is, each cluster from those of other
images only, so that an error that stands alone is outvoted. It is cut at the prevalence that its own disagreement with
the judge implies (Northcutt et al. 2021, confident learning). The second is the judge's systematic error, known only
from reviews (Kennedy & O'Hagan 2000, two sources of which one is dear and right): where a person dissents, it spreads
to what looks alike, most within the class, so that a hundred equal errors of the judge cannot outvote one person. What
then stands is read once more like a judge's words, again by each image from the others, for it is right more often
than the judge's: the few that reviews reached by halves follow the many of their kind.

Closed forms throughout: nothing is drawn at random, and leaving an image out costs no second fit. In the second
reading an image's own words count only by what they did to other images in the first: hardly at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from worker.method.levels import AT_THE_HEIGHT, Flags, levels
from worker.method.similarity import Clusters, Floats, same_class, similarities

# Variance of one word of a judge that is sure, where what is common to a kind of region has variance 1. Of these, the
# one is taken with which words on other images tell most of the words left out.
NOISES = (1.0, 3.0, 10.0, 30.0)
# A word nearer to neither is none.
LEAST_WORD = 0.01
# How much of the similarity is lost between clusters of different classes: for the judge's words and for its errors.
CLASS_PART = 0.25
ERROR_CLASS_PART = 0.35
# Variance of the judge's systematic error, and of a person's word on what a cluster is.
ERROR_VARIANCE = 4.0
REVIEW_NOISE = 0.1
# With fewer images than this nothing is learned from the others.
LEAST_IMAGES = 10
# What stands after reviews, read again: the noise of one word, and how much surer than a judge's word a review is.
SECOND_NOISE = 1.0
REVIEW_CERTAINTY = 3.0
NEAREST = 5

Indices = npt.NDArray[np.int64]
Source = Literal["review", "probe", "judge"]


class FellBack(StrEnum):
    """Why the judge's words on other images were not read."""

    NOT = ""
    FEW_IMAGES = "few images"
    ONE_VERDICT = "one verdict"  # on every cluster
    NO_PATTERN = "no pattern"  # the words follow nothing that their clusters have in common


@dataclass(frozen=True)
class Probe:
    """What the judge's words on other images say of each of N clusters.

    similarity: (N, N) in [0, 1], whatever the class.
    judged:     (N,) the judge's P(spurious); NaN where it said nothing.
    leaning:    (N,) in [-1, 1], 2 P(spurious) - 1 by the words on other images.
    prevalence: the share of spurious clusters that the judge's words imply.
    misses, false_alarms: how often the judge seems to err on spurious and on relevant clusters, single errors only:
        nobody sees from its words alone that it is wrong about a kind of region everywhere.
    fell_back:  why the leaning is the judge's own word on the cluster; NOT where it is the probe's.
    """

    clusters: Clusters
    similarity: Floats
    judged: Floats
    leaning: Floats
    prevalence: float
    misses: float
    false_alarms: float
    fell_back: FellBack = FellBack.NOT


@dataclass(frozen=True)
class Consensus:
    """The verdict on each of N clusters, and why.

    p_spurious: (N,); 0 or 1 where a person has said so.
    spurious:   (N,) the verdict.
    source:     (N,) whose word it follows; a review wins over the probe, the probe over the judge.
    overruled:  (N,) the verdict is not what the judge said.
    nearest:    (N, K) the most similar clusters of other images, most similar first; -1 where there are no more.
    reason:     (N,) the review without which the probe's verdict would be another, or -1.
    """

    p_spurious: Floats
    spurious: Flags
    source: tuple[Source, ...]
    overruled: Flags
    nearest: Indices
    reason: Indices


@dataclass(frozen=True)
class Difference:
    """How far the consensus is from the judge within one kind of region, or over all.

    clusters: indices of the kind's clusters; share: their mean part of the images' evidence.
    judged_spurious, found_spurious: share of the clusters that the judge, and the consensus, call spurious.
    differs:  share of the clusters on which the two differ; reviewed: how many of them a person has seen.
    """

    clusters: Indices
    share: float
    judged_spurious: float
    found_spurious: float
    differs: float
    reviewed: int


def probe(clusters: Clusters, judged: Floats) -> Probe:
    """Read what each cluster is from the judge's words on similar clusters of other images.

    judged: (N,) P(spurious); how far it is from 1/2 is how much the word counts, and NaN is no word.
    Takes N^3 operations: seconds for 5,000 clusters. Raises ValueError when the lengths differ.
    """
    if len(judged) != len(clusters):
        raise ValueError(f"There are {len(clusters)} clusters and {len(judged)} words of the judge.")
    alike, said = similarities(clusters), np.sign(_word(judged))
    if len(np.unique(clusters.images)) < LEAST_IMAGES:
        return _unread(clusters, alike, judged, FellBack.FEW_IMAGES)
    if len(np.unique(said[said != 0])) < 2:  # noqa: PLR2004 - spurious and relevant
        return _unread(clusters, alike, judged, FellBack.ONE_VERDICT)
    field = _field(alike * same_class(clusters.classes, CLASS_PART), judged, clusters.images)
    found = levels(field, _word(judged))
    if found is None:
        return _unread(clusters, alike, judged, FellBack.NO_PATTERN)
    return Probe(clusters, alike, judged, found.leaning(field), found.prevalence, found.misses, found.false_alarms)


def consensus(found: Probe, reviews: Mapping[int, bool]) -> Consensus:
    """The verdicts that follow from the probe and from people's reviews.

    reviews: cluster -> whether a person called it spurious. "Can't tell" is no review.
    """
    first, weights, reviewed = corrected(found, reviews)
    leaning = _read_again(found, first, reviews)
    p_spurious = np.clip((1 + leaning) / 2, 0.01, 0.99)
    spurious = leaning > 0
    reason = _reasons(found, weights, reviewed, spurious)
    for index, answer in reviews.items():
        spurious[index], p_spurious[index], reason[index] = answer, float(answer), -1
    said = _word(found.judged)
    overruled = (said != 0) & ((said > 0) != spurious)
    own = bool(found.fell_back) & ~overruled
    source: list[Source] = ["judge" if kept else "probe" for kept in own.tolist()]
    for index in reviews:
        source[index] = "review"
    return Consensus(p_spurious, spurious, tuple(source), overruled, nearest(found), reason)


def _read_again(found: Probe, first: Floats, reviews: Mapping[int, bool]) -> Floats:
    """The leaning by what stands after reviews on other images; as it was where there are no two sides to it: (N,)."""
    if found.fell_back is FellBack.FEW_IMAGES or (found.fell_back and not reviews):
        return first
    words = np.clip(first, 1 - 2 * AT_THE_HEIGHT, 2 * AT_THE_HEIGHT - 1)
    for index, answer in reviews.items():
        words[index] = REVIEW_CERTAINTY if answer else -REVIEW_CERTAINTY
    kernel = found.similarity * same_class(found.clusters.classes, CLASS_PART)
    field = _left_out(kernel, words, found.clusters.images, SECOND_NOISE)
    again = levels(field, np.sign(words)) if len(np.unique(np.sign(words))) > 1 else None
    return first if again is None else again.leaning(field)


def corrected(found: Probe, reviews: Mapping[int, bool]) -> tuple[Floats, Floats, Indices]:
    """The probe's leaning with the judge's systematic error taken off, as far as reviews tell.

    Returns the leaning (N,); what each review adds to it (N, R); and which cluster each review is of (R,).
    A review counts for clusters of other images only.
    """
    reviewed = np.array(sorted(reviews), dtype=np.int64)
    weights = np.zeros((len(found.leaning), len(reviewed)))
    if len(reviewed) and found.fell_back is not FellBack.FEW_IMAGES:
        wrong = np.array([1.0 if reviews[index] else -1.0 for index in reviewed]) - found.leaning[reviewed]
        toward = error_similarity(found, reviewed)  # (N, R)
        images, of_review = found.clusters.images, found.clusters.images[reviewed]
        weights = _spread(toward, reviewed, wrong)
        for image in np.unique(of_review):
            here, others = images == image, of_review != image
            weights[here] = 0.0
            weights[np.ix_(here, others)] = _spread(toward[:, others], reviewed[others], wrong[others])[here]
    return found.leaning + weights.sum(axis=1), weights, reviewed


def error_similarity(found: Probe, columns: Indices) -> Floats:
    """Covariance of the judge's systematic error at every cluster with that at ``columns``: (N, len(columns))."""
    classes = found.clusters.classes
    within = np.where(classes[:, None] == classes[columns], 1.0, 1.0 - ERROR_CLASS_PART)
    return ERROR_VARIANCE * found.similarity[:, columns] * within


def nearest(found: Probe, count: int = NEAREST) -> Indices:
    """The most similar clusters of other images: (N, count), -1 where there are no more."""
    images = found.clusters.images
    elsewhere = np.where(images[:, None] == images, -1.0, found.similarity)
    order = np.argsort(-elsewhere, axis=1, kind="stable")[:, :count]
    ranked = np.where(np.take_along_axis(elsewhere, order, axis=1) < 0, -1, order)
    return np.pad(ranked, ((0, 0), (0, count - ranked.shape[1])), constant_values=-1).astype(np.int64)


def disagreement(
    clusters: Clusters, judged: Floats, agreed: Consensus, kind: Indices | None = None
) -> list[Difference]:
    """How far the consensus is from the judge: over all clusters, then for each kind, where they differ most first.

    kind: (N,) from ``similarity.kinds``. A large figure says that one of the two is wrong about a kind of region: ask
    people there.
    """
    everything = np.arange(len(clusters))
    groups = [] if kind is None else [np.flatnonzero(kind == number) for number in np.unique(kind)]
    parts = [_difference(clusters, judged, agreed, group) for group in groups]
    whole = _difference(clusters, judged, agreed, everything)
    return [whole, *sorted(parts, key=lambda part: -part.differs * part.share)]


def _difference(clusters: Clusters, judged: Floats, agreed: Consensus, members: Indices) -> Difference:
    said, share = _word(judged)[members] > 0, clusters.share[members]
    return Difference(
        clusters=members,
        share=float(share.sum() / max(1, len(np.unique(clusters.images)))),
        judged_spurious=float(said.mean()),
        found_spurious=float(agreed.spurious[members].mean()),
        differs=float(agreed.overruled[members].mean()),
        reviewed=sum(agreed.source[index] == "review" for index in members),
    )


def _field(kernel: Floats, judged: Floats, images: Indices) -> Floats:
    """The judge's words as a smooth field, with the noise that suits them: (N,)."""
    word = _word(judged)
    fields = [_left_out(kernel, word, images, noise) for noise in NOISES]
    errors = [np.average((np.sign(word) - field) ** 2, weights=np.square(word)) for field in fields]
    return fields[int(np.argmin(errors))]


def _left_out(kernel: Floats, word: Floats, images: Indices, noise: float) -> Floats:
    """The field at each image's clusters from the words on other images only: (N,). word: (N,), 0 is none.

    Regression by a Gaussian process with the kernel (N, N), leaving each image out in closed form (Rasmussen &
    Williams 2006, 5.4.2, for a block).
    """
    heard = np.flatnonzero(word != 0)
    # One more variance for what all clusters have in common: a mean taken beforehand would know the image left out.
    common = 1.0 + kernel
    inverse = np.linalg.inv(common[np.ix_(heard, heard)] + np.diag(noise / np.square(word[heard])))
    weights = inverse @ np.sign(word[heard])
    field = np.empty(len(word))
    for image in np.unique(images):
        here, own = np.flatnonzero(images == image), np.flatnonzero(images[heard] == image)
        without = weights - inverse[:, own] @ np.linalg.solve(inverse[np.ix_(own, own)], weights[own])
        field[here] = common[np.ix_(here, heard)] @ without
    return field


def _word(judged: Floats) -> Floats:
    """From -1, surely relevant, to 1, surely spurious; 0 where the judge said nothing, or next to nothing."""
    word = np.nan_to_num(2 * judged - 1, nan=0.0)
    return np.where(np.abs(word) < LEAST_WORD, 0.0, word)


def _unread(clusters: Clusters, alike: Floats, judged: Floats, why: FellBack) -> Probe:
    word = _word(judged)
    return Probe(clusters, alike, judged, word, float((word > 0).mean()), 0.0, 0.0, why)


def _spread(toward: Floats, reviewed: Indices, wrong: Floats) -> Floats:
    """What each review adds at every cluster: (N, R). toward: (N, R) covariances; wrong: (R,) dissent."""
    if not len(reviewed):
        return np.zeros_like(toward)
    among = toward[reviewed] + REVIEW_NOISE * np.eye(len(reviewed))
    return toward * np.linalg.solve(among, wrong)


def _reasons(found: Probe, weights: Floats, reviewed: Indices, spurious: Flags) -> Indices:
    """The review that pushed most where reviews changed the verdict, -1 elsewhere: (N,)."""
    reason = np.full(len(spurious), -1, dtype=np.int64)
    changed = np.flatnonzero((found.leaning > 0) != spurious)
    if len(reviewed):
        toward = np.where(spurious[changed, None], weights[changed], -weights[changed])
        reason[changed] = np.where(toward.max(axis=1) > 0, reviewed[toward.argmax(axis=1)], -1)
    return reason
