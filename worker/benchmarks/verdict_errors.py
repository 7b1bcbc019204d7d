"""Judges that err in a known way, on clusters whose truth is known.

A judge that errs is as sure of itself as where it is right: read after the critic's own words, an LVLM's probability
says what it said and not whether it is so. Anything milder would make a consensus look better than it is.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Mean and deviation of the log-odds of the judge's word, right or wrong: half of its words are surer than .95.
CERTAINTY, SPREAD, LEAST_CERTAINTY = 3.0, 1.0, 0.1
# A kind of region that holds less of a class's, or of all, relevant clusters than this is too small to tell of.
LEAST_PART, LEAST_CLUSTERS = 0.06, 5
# How often each verdict is wrong; half of the time is pure noise.
RATES = {"13": 0.13, "25": 0.25, "40": 0.40, "50": 0.50}
# Wrong about a kind of region in images of one class, or wherever it occurs.
SYSTEMATIC = ("class", "all")


@dataclass(frozen=True)
class Judged:
    """The verdicts of a judge on N clusters, true for spurious, and its P(spurious): both (N,)."""

    verdicts: Flags
    words: Floats


def erring(error: str, truth: Flags, places: npt.NDArray[np.str_], classes: npt.NDArray[np.int64], draw: int) -> Judged:
    """A judge that errs as one of ``RATES`` or ``SYSTEMATIC`` says, or with "" not at all; the same for a draw."""
    if error in SYSTEMATIC:
        generator = np.random.default_rng(draw)
        kind = misjudged_kind(truth, places, draw, generator)
        verdicts = truth ^ (of_one_class(kind, classes, draw) if error == "class" else kind)
    else:
        rate = RATES[error] if error else 0.0
        generator = np.random.default_rng([draw, int(100 * rate)])
        verdicts = independent(truth, rate, generator)
    return Judged(verdicts, spoken(verdicts, generator))


def spoken(verdicts: Flags, generator: np.random.Generator) -> Floats:
    """P(spurious) of a judge that gives these verdicts: (N,)."""
    sure = np.maximum(generator.normal(CERTAINTY, SPREAD, len(verdicts)), LEAST_CERTAINTY)
    return 1 / (1 + np.exp(np.where(verdicts, -sure, sure)))


def independent(truth: Flags, rate: float, generator: np.random.Generator) -> Flags:
    """Verdicts of which each is wrong with this probability."""
    return truth ^ (generator.random(len(truth)) < rate)


def misjudged_kind(truth: Flags, places: npt.NDArray[np.str_], draw: int, generator: np.random.Generator) -> Flags:
    """The kind of region that a judge is wrong about: (N,).

    In every second draw, from the first on, it is the artefact itself: the judge never recognises it. In the others it
    is what is relevant in one place of the picture, drawn among the places that hold enough of it.
    """
    if draw % 2 == 0:
        return truth.copy()
    names, counts = np.unique(places[~truth], return_counts=True)
    chosen = generator.choice(names[counts >= LEAST_PART * (~truth).sum()])
    kind: Flags = ~truth & (places == chosen)
    return kind


def of_one_class(kind: Flags, classes: npt.NDArray[np.int64], draw: int) -> Flags:
    """The part of a kind of region that lies in images of one class, another from draw to draw."""
    sizes = {label: int((kind & (classes == label)).sum()) for label in np.unique(classes).tolist()}
    enough = [label for label, size in sizes.items() if size >= LEAST_CLUSTERS]
    if not enough:
        enough = [max(sizes, key=lambda label: sizes[label])]
    part: Flags = kind & (classes == enough[draw // 2 % len(enough)])
    return part
