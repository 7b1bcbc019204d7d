"""Between which probabilities a verdict is `uncertain`, so that of those decided few enough are wrong.

Clusters are decided from the surest on. How many may be is found by tests of the error rate in sets that people
reviewed (Angelopoulos et al. 2021, Learn then Test). A part of the risk of a wrong promise is spent on the set of all.
Where that fails, the rest goes to a fixed sequence: first the surest quarter is tested, then ever more, up to the first
set whose errors do not rule out a higher rate than asked for. So looking at many thresholds costs no certainty.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

TARGET = 0.05
# With which certainty the error rate among the decided is no higher than asked for.
CERTAINTY = 0.9
ON_ALL = 1 / 3  # of the risk, spent on the set of all
FIRST_PART = 4  # the surest one in four begins the sequence
STEPS = 10  # sets tested between that and all
HALF = 0.5
BISECTIONS = 60

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """What people said of the clusters that would be decided as one word."""

    decided: int
    wrong: int


@dataclass(frozen=True)
class Thresholds:
    """P(spurious) up to ``uncertain_from`` is relevant, from ``uncertain_to`` on spurious: raw, as the judge gives it.

    limit:              the calibrated probability of being wrong up to which a cluster is decided.
    spurious, relevant: of the reviewed clusters, those decided so, each calibrated without its own image.
    most:               the error rate among the decided is at most this, with no less than the certainty asked for.
    missing:            why there are none; the other figures are then those of the surest set tested, if one was.
    """

    uncertain_from: float | None
    uncertain_to: float | None
    limit: float
    spurious: Side
    relevant: Side
    most: float
    reviewed: int
    missing: str = ""

    @property
    def decided(self) -> int:
        return self.spurious.decided + self.relevant.decided

    @property
    def wrong(self) -> int:
        return self.spurious.wrong + self.relevant.wrong


def choose_thresholds(
    calibrated: Floats,
    truth: Floats,
    to_calibrated: Callable[[Floats], Floats],
    target: float = TARGET,
    certainty: float = CERTAINTY,
) -> Thresholds:
    """The thresholds that decide most while the error rate among the decided stays at or under the target.

    calibrated:    (N,) P(spurious) of the reviewed clusters, each calibrated without its own image.
    truth:         (N,) 1 where a person called it spurious, else 0.
    to_calibrated: from raw probabilities to calibrated ones, never falling: the map that the next critique will need.
    target:        in (0, 1), of the decided; certainty: in (0, 1), that it holds, over draws of reviewed clusters.
    Clusters of one image are taken to err independently. Raises ValueError when the lengths differ.
    """
    if len(calibrated) != len(truth):
        raise ValueError(f"{len(calibrated)} probabilities and {len(truth)} reviews do not match.")
    risk = 1 - certainty
    least = fewest(target, 1 - risk * (1 - ON_ALL))
    if len(truth) < least:
        return _missing(len(truth), f"At least {least} reviewed regions are needed for this; {len(truth)} are there.")
    doubt = np.minimum(calibrated, 1 - calibrated)
    everything = _decided(calibrated, truth, float(doubt.max()), risk * ON_ALL)
    if everything.most <= target:
        return _in_raw(everything, to_calibrated)
    limits = _limits(doubt, max(least, len(truth) // FIRST_PART))
    tested = [_decided(calibrated, truth, limit, risk * (1 - ON_ALL)) for limit in limits]
    passed = list(takewhile(lambda each: each.most <= target, tested))
    if not passed:
        first = tested[0]
        why = f"Of the {first.decided} surest reviewed regions {first.wrong} were judged wrongly: too many."
        return _missing(len(truth), why, first)
    return _in_raw(passed[-1], to_calibrated)


def fewest(target: float, certainty: float) -> int:
    """How many decided clusters, all of them right, rule out a higher error rate than the target."""
    return int(np.ceil(np.log(1 - certainty) / np.log(1 - target)))


def share_uncertain(raw: Floats, uncertain_from: float, uncertain_to: float) -> float:
    """Of the clusters with these probabilities (N,), the share between the thresholds; 0 without any."""
    return float(np.mean((raw > uncertain_from) & (raw < uncertain_to))) if len(raw) else 0.0


def _limits(doubt: Floats, start: int) -> list[float]:
    """The doubts up to which clusters are decided, one set after the other, each at least ``start`` large."""
    ordered = np.sort(doubt)
    ends = np.unique(np.linspace(start, len(doubt), STEPS + 1).round().astype(int))
    return np.unique(ordered[ends - 1]).tolist()  # type: ignore[no-any-return]


def _decided(calibrated: Floats, truth: Floats, limit: float, risk: float) -> Thresholds:
    relevant = (calibrated <= limit) & (calibrated < HALF)
    spurious = (calibrated >= 1 - limit) & ~relevant
    called = Side(int(spurious.sum()), int((spurious & (truth < HALF)).sum()))
    other = Side(int(relevant.sum()), int((relevant & (truth > HALF)).sum()))
    decided, wrong = called.decided + other.decided, called.wrong + other.wrong
    # The limit of Clopper & Pearson (1934): it is at most the target where the exact binomial test is passed.
    most = 1.0 if wrong == decided else float(beta.ppf(1 - risk, wrong + 1, decided - wrong))
    return Thresholds(None, None, limit, called, other, most, len(truth))


def _in_raw(found: Thresholds, to_calibrated: Callable[[Floats], Floats]) -> Thresholds:
    """With the raw probabilities at which the calibrated ones cross the limit on either side."""
    low, high = _crossing(to_calibrated, found.limit), _crossing(to_calibrated, 1 - found.limit, from_above=True)
    ends = to_calibrated(np.array([0.0, 1.0]))
    if (ends[0] > found.limit or low <= 0) and (ends[1] < 1 - found.limit or high >= 1):
        return _missing(found.reviewed, "No probability of the judge is sure enough to decide by.", found)
    return Thresholds(
        min(low, high), max(low, high), found.limit, found.spurious, found.relevant, found.most, found.reviewed
    )


def _crossing(to_calibrated: Callable[[Floats], Floats], level: float, *, from_above: bool = False) -> float:
    """The largest raw probability that is calibrated to at most the level; from above, the smallest to at least it."""
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        reached = float(to_calibrated(np.array([middle]))[0])
        is_below = reached < level if from_above else reached <= level
        low, high = (middle, high) if is_below else (low, middle)
    return high if from_above else low


def _missing(reviewed: int, why: str, tried: Thresholds | None = None) -> Thresholds:
    nobody = Side(0, 0)
    if tried is None:
        return Thresholds(None, None, 0.0, nobody, nobody, 1.0, reviewed, why)
    return Thresholds(None, None, tried.limit, tried.spurious, tried.relevant, tried.most, reviewed, why)
