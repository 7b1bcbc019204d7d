"""The two levels of the probe's field, on relevant and on spurious clusters, and the cut between them.

The field is cut at the prevalence that its own disagreement with the judge implies (Northcutt et al. 2021, confident
learning).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from worker.method.similarity import Floats

# A judge that is right hardly more often than by chance teaches nothing: 1 - both error rates must exceed this.
LEAST_INFORMATION = 0.1
# And the words on either side must differ by so many standard deviations. Looked for where they differ most, on drawn
# lesions of seeds 100 to 102 dice did in 2 of 36 draws, a judge wrong on two words of five in 28 of 36.
LEAST_DEVIATIONS = 3.0
# Looked for there, so small a part of the clusters may lie on one side.
LEAST_PART = 0.01
# A cluster at the height of its kind is taken to be of that kind with this probability: calibrated on the development
# sets, where the expected calibration error of P(spurious) was .01 to .04.
AT_THE_HEIGHT = 0.995

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Levels:
    """Where the probe's field stands on relevant and on spurious clusters, and what that says of the judge."""

    cut: float
    height: float  # from the cut to either kind's middle
    prevalence: float
    misses: float
    false_alarms: float

    def leaning(self, field: Floats) -> Floats:
        """2 P(spurious) - 1."""
        steepness = np.arctanh(2 * AT_THE_HEIGHT - 1) / self.height
        leaning: Floats = np.tanh(steepness * (field - self.cut))
        return leaning


def levels(field: Floats, word: Floats) -> Levels | None:
    """Cut the field at the prevalence that the judge's error rates on clear clusters imply; None if there is none.

    The two levels are first looked for in the field alone. Where few clusters are spurious and the judge errs often
    that halves the many relevant ones; then they are looked for where the words differ most.
    """
    found = _either_side(field, word, _two_means(field))
    return _either_side(field, word, _where_words_differ(field, word)) if found is None else found


def _either_side(field: Floats, word: Floats, of: float | None) -> Levels | None:
    """The levels on either side of a value of the field; None where the words on them hardly differ."""
    if of is None:
        return None
    above, weights = field > of, np.square(word)
    counts = [weights[among].sum(keepdims=True) for among in (~above & (word > 0), ~above, above & (word > 0), above)]
    # Unsure words count less, and so spread less.
    spread = np.sqrt(np.square(weights).sum() / weights.sum())
    if _deviations(*counts)[0] < LEAST_DEVIATIONS * spread:
        return None
    low, high = float(field[~above].mean()), float(field[above].mean())
    middle, height = (low + high) / 2, (high - low) / 2
    spurious, relevant = field > middle + height / 2, field < middle - height / 2
    misses, false_alarms = 1 - _said_spurious(word, spurious), _said_spurious(word, relevant)
    information = 1 - misses - false_alarms
    if information < LEAST_INFORMATION:
        return None
    prevalence = (_said_spurious(word, word != 0) - false_alarms) / information
    # The share decides only among clusters between the two kinds: it is an estimate, and the kinds are seen.
    cut = float(np.clip(np.quantile(field, 1 - np.clip(prevalence, 0, 1)), middle - height / 2, middle + height / 2))
    return Levels(cut, height, float((field > cut).mean()), misses, false_alarms)


def _two_means(field: Floats) -> float | None:
    """The middle between the means on either side of it; None where all lies on one side."""
    middle = 0.0
    for _ in range(50):
        above, below = field[field > middle], field[field <= middle]
        if not len(above) or not len(below):
            return None
        before, middle = middle, float(below.mean() + above.mean()) / 2
        if middle == before:
            break
    return middle


def _where_words_differ(field: Floats, word: Floats) -> float | None:
    """The value above which the judge most clearly says spurious more often than below; None where there is none."""
    order = np.argsort(field, kind="stable")
    heights, weights = field[order], np.square(word[order])
    words, said = np.cumsum(weights), np.cumsum(weights * (word[order] > 0))
    least = max(1, round(LEAST_PART * len(field)))
    last = np.arange(least, len(field) - least + 1) - 1  # the highest cluster that lies below
    last = last[last + 1 < len(field)]
    last = last[(heights[last] < heights[last + 1]) & (words[last] > 0) & (words[last] < words[-1])]
    found = _deviations(said[last], words[last], said[-1] - said[last], words[-1] - words[last])
    if not len(last) or found.max() <= 0:
        return None
    best = last[np.argmax(found)]
    return float(heights[best] + heights[best + 1]) / 2


def _deviations(said_below: Floats, below: Floats, said_above: Floats, above: Floats) -> Floats:
    """How much more of the words above say spurious than of those below, in standard deviations; 0 where it is less.

    The root of the likelihood ratio of two shares against one. Taken where it is greatest it is more than a normal
    variable would be (Lausen & Schumacher 1992, maximally selected statistics).
    """
    ratio = 2 * (
        _likelihood(said_below, below)
        + _likelihood(said_above, above)
        - _likelihood(said_below + said_above, below + above)
    )
    more = said_above * below > said_below * above
    return np.where(more, np.sqrt(np.maximum(ratio, 0.0)), 0.0)


def _likelihood(said: Floats, words: Floats) -> Floats:
    """Logarithm of the likelihood of so many words, of which ``said`` say spurious, at their own share."""
    share = said / np.maximum(words, np.finfo(np.float64).tiny)
    likelihood: Floats = xlogy(said, share) + xlogy(words - said, 1 - share)
    return likelihood


def _said_spurious(word: Floats, among: Flags) -> float:
    """Share of the words that say spurious, a sure one counting more, as it does in the field; 1/2 without any."""
    weights = np.square(word[among])
    return float(weights[word[among] > 0].sum() / weights.sum()) if weights.sum() else 0.5
