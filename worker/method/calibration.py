"""From what the judge calls P(spurious) to how often it was spurious, learned from the clusters that people reviewed.

Three maps are tried: none, a temperature with a bias (Platt 1999; Guo et al. 2017) and isotonic regression (Zadrozny &
Elkan 2002). That with the least log-loss on images left out is taken, where it is worth its parameters. No cluster is
calibrated by its own image: its map, and the choice of it, were made without that image's reviews.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

# With fewer reviews, or fewer of either answer, nothing is learned: what little they say would be mostly chance.
LEAST_REVIEWS = 20
LEAST_OF_EACH = 5
FOLDS = 10
# A map must lower the log-loss of the reviews, all together, by this much for each of its parameters: half of what
# Akaike asks, since the loss is one on images left out already. Few reviews so take none, or the simpler one.
PRICE = 0.5
# Of a probability, from 0 and from 1, where its logit is asked for.
EDGE = 1e-6
NEWTON_STEPS = 50
CONVERGED = 1e-10

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Name = Literal["identity", "temperature", "isotonic"]
TOO_FEW = (
    f"Fewer than {LEAST_REVIEWS} reviewed regions, or fewer than {LEAST_OF_EACH} of them spurious or relevant: "
    "the judge's probabilities are left as they are."
)


@dataclass(frozen=True)
class Identity:
    name: Name = "identity"
    parameters: int = 0

    def __call__(self, p: Floats) -> Floats:
        return p


@dataclass(frozen=True)
class Temperature:
    """logit(q) = slope logit(p) + bias; the temperature is 1 / slope. The slope is 0 where p tells nothing."""

    slope: float
    bias: float
    name: Name = "temperature"
    parameters: int = 2

    def __call__(self, p: Floats) -> Floats:
        scaled: Floats = np.clip(expit(self.slope * _logit(p) + self.bias), EDGE, 1 - EDGE)
        return scaled


@dataclass(frozen=True)
class Isotonic:
    """Never falling, and straight between its knots: raw (K,) rising, fitted (K,)."""

    raw: tuple[float, ...]
    fitted: tuple[float, ...]
    name: Name = "isotonic"

    @property
    def parameters(self) -> int:
        """Its degrees of freedom are its different values (Meyer & Woodroofe 2000)."""
        return len(set(self.fitted))

    def __call__(self, p: Floats) -> Floats:
        return np.interp(p, self.raw, self.fitted)


Map = Identity | Temperature | Isotonic


@dataclass(frozen=True)
class Calibration:
    """The map that N reviewed clusters call for.

    losses: by map, the mean log-loss on images left out, in nats; empty where nothing was tried.
    why:    why nothing was tried; empty where something was.
    """

    map: Map
    reviewed: int
    images: int
    losses: dict[Name, float]
    why: str = ""


@dataclass(frozen=True)
class CrossFitted:
    """A map for each fold of images, made from the other folds' reviews, and one from all for images without any.

    fold: (N,) of each reviewed cluster; by_image: the same for its image.
    """

    whole: Calibration
    folds: tuple[Calibration, ...]
    fold: Indices
    by_image: dict[int, int]

    def __call__(self, p: Floats, images: Indices) -> Floats:
        """Calibrated probabilities (M,) of any clusters. p: (M,); images: (M,), numbered as the reviewed ones' were."""
        calibrated = self.whole.map(p)
        fold = np.array([self.by_image.get(int(image), -1) for image in images], dtype=np.int64)
        for number, made in enumerate(self.folds):
            calibrated = np.where(fold == number, made.map(p), calibrated)
        return calibrated


def cross_fit(p: Floats, truth: Floats, images: Indices, seed: int = 0) -> CrossFitted:
    """Calibrate every cluster by the reviews of other images.

    p:      (N,) the judge's P(spurious) of the reviewed clusters.
    truth:  (N,) 1 where a person called it spurious, 0 where relevant.
    images: (N,) of which image each is.
    seed:   shuffles images into folds; their truth plays no part in that.
    Raises ValueError when the lengths differ.
    """
    if not len(p) == len(truth) == len(images):
        raise ValueError(f"{len(p)} probabilities, {len(truth)} reviews and {len(images)} images do not match.")
    fold = _folds(images, seed)
    folds = tuple(
        calibrate(p[fold != number], truth[fold != number], images[fold != number], seed)
        for number in range(fold.max(initial=-1) + 1)
    )
    by_image = dict(zip(images.tolist(), fold.tolist(), strict=True))
    return CrossFitted(calibrate(p, truth, images, seed), folds, fold, by_image)


def calibrate(p: Floats, truth: Floats, images: Indices, seed: int = 0) -> Calibration:
    """The best of the three maps, fitted on all that is given; arguments as of ``cross_fit``."""
    reviewed, distinct = len(p), len(np.unique(images))
    if reviewed < LEAST_REVIEWS or min(truth.sum(), (1 - truth).sum()) < LEAST_OF_EACH or distinct < FOLDS:
        return Calibration(Identity(), reviewed, distinct, {}, TOO_FEW)
    maps: tuple[Map, ...] = (Identity(), fit_temperature(p, truth), fit_isotonic(p, truth))
    losses = _losses(p, truth, _folds(images, seed))
    best = min(maps, key=lambda each: losses[each.name] + PRICE * each.parameters / reviewed)
    return Calibration(best, reviewed, distinct, losses)


def fit_temperature(p: Floats, truth: Floats, *, bias: bool = True) -> Temperature:
    """Slope and bias of least log-loss, with Platt's targets in place of 0 and 1, so that both stay finite.

    truth: (N,) in [0, 1]; may be a share. A judge that is right less often than by chance is not turned round: its
    slope is 0. Newton's method with halved steps; the loss is convex.
    """
    inputs = np.stack([_logit(p), np.full(len(p), float(bias))])  # (2, N)
    target = _platt(truth)
    weights = np.array([1.0, 0.0])
    loss = _surprise(expit(weights @ inputs), target)
    for _ in range(NEWTON_STEPS):
        q = expit(weights @ inputs)
        curvature = (inputs * q * (1 - q)) @ inputs.T + CONVERGED * np.eye(2)
        step = np.linalg.solve(curvature, inputs @ (target - q))
        while (tried := _surprise(expit((weights + step) @ inputs), target)) > loss:
            step = step / 2
        weights, gained, loss = weights + step, loss - tried, tried
        if gained < CONVERGED:
            break
    if weights[0] <= 0:
        return Temperature(0.0, float(_logit(target.mean())) if bias else 0.0)
    return Temperature(float(weights[0]), float(weights[1]) if bias else 0.0)


def fit_isotonic(p: Floats, truth: Floats) -> Isotonic:
    """Isotonic regression, as if one more cluster at either end had gone against the judge: never quite 0 or 1."""
    raw, place = np.unique(np.concatenate([p, [0.0, 1.0]]), return_inverse=True)
    seen = np.concatenate([truth, [1.0, 0.0]])
    times = np.bincount(place).astype(np.float64)
    fitted = isotonic_regression(np.bincount(place, seen) / times, weights=times).x
    ends = np.concatenate([[True], np.diff(fitted) > 0, [True]])
    kept = ends[:-1] | ends[1:]  # the first and the last of each level
    return Isotonic(tuple(raw[kept].tolist()), tuple(fitted[kept].tolist()))


def log_loss(q: Floats, truth: Floats) -> float:
    """Mean surprise at the truth in nats, with q held off 0 and 1 by EDGE."""
    return _surprise(np.clip(q, EDGE, 1 - EDGE), truth) / len(q)


def _losses(p: Floats, truth: Floats, fold: Indices) -> dict[Name, float]:
    """The mean log-loss of each map on folds that it was not fitted on."""
    left_out: dict[Name, Floats] = {"identity": p.copy(), "temperature": p.copy(), "isotonic": p.copy()}
    for number in range(fold.max() + 1):
        here = fold == number
        for each in (fit_temperature(p[~here], truth[~here]), fit_isotonic(p[~here], truth[~here])):
            left_out[each.name][here] = each(p[here])
    return {name: log_loss(q, truth) for name, q in left_out.items()}


def _folds(images: Indices, seed: int) -> Indices:
    """To each cluster the fold of its image; as many images in each."""
    distinct, place = np.unique(images, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(distinct))
    folds: Indices = (shuffled % FOLDS)[place]
    return folds


def _platt(truth: Floats) -> Floats:
    """Targets as if one more of each had been seen (Platt 1999, 2.2)."""
    spurious, relevant = truth.sum(), (1 - truth).sum()
    low, high = 1 / (relevant + 2), (spurious + 1) / (spurious + 2)
    targets: Floats = low + (high - low) * truth
    return targets


def _logit(p: Floats | float) -> Floats:
    found: Floats = logit(np.clip(p, EDGE, 1 - EDGE))
    return found


def _surprise(q: Floats, target: Floats) -> float:
    with np.errstate(divide="ignore"):
        return float(-np.sum(target * np.log(q) + (1 - target) * np.log1p(-q)))
