"""Sets in which an artefact tells the label while training, and nothing in the test."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from worker.datasets.synthetic.drawing import Drawn

RATES = (0.05, 0.95)


class Draw(Protocol):
    """``draw_knees`` or ``draw_lesions``."""

    def __call__(
        self,
        labels: npt.NDArray[np.int64],
        artefact: npt.NDArray[np.bool_],
        size: int,
        generator: np.random.Generator,
    ) -> Drawn: ...


@dataclass(frozen=True)
class ShortcutSplit:
    """Training and validation pictures where the artefact goes with the label, and test pictures in pairs.

    The test holds every patient twice: all without the artefact first, then all of them again, in the same order,
    with it. So each of the four groups of label and artefact has the same patients.
    """

    train: Drawn
    validation: Drawn
    test: Drawn


def shortcut_split(
    draw: Draw,
    counts: tuple[int, int, int],
    size: int,
    generator: np.random.Generator,
    rates: tuple[float, float] = RATES,
) -> ShortcutSplit:
    """Draw a set whose artefact is a shortcut.

    counts: pictures for training and for validation, and patients for the test, half of them of either label.
    rates: which part of the pictures of label 0 and of label 1 carries the artefact in training and validation.
    """
    train, validation = (_with_shortcut(draw, count, size, generator, rates) for count in counts[:2])
    return ShortcutSplit(train, validation, _in_pairs(draw, counts[2], size, generator))


def _with_shortcut(
    draw: Draw, count: int, size: int, generator: np.random.Generator, rates: tuple[float, float]
) -> Drawn:
    labels = _balanced(count, generator)
    artefact = np.zeros(count, dtype=np.bool_)
    for label, rate in enumerate(rates):
        of_label = np.flatnonzero(labels == label)
        artefact[of_label[: round(rate * len(of_label))]] = True
    return draw(labels, artefact, size, generator)


def _in_pairs(draw: Draw, count: int, size: int, generator: np.random.Generator) -> Drawn:
    labels = _balanced(count, generator)
    seed = generator.integers(2**63)
    without, with_artefact = (
        draw(labels, np.full(count, shown), size, np.random.default_rng(seed)) for shown in (False, True)
    )
    return Drawn(
        images=np.concatenate([without.images, with_artefact.images]),
        labels=np.concatenate([without.labels, with_artefact.labels]),
        artefact=np.concatenate([without.artefact, with_artefact.artefact]),
        core=np.concatenate([without.core, with_artefact.core]),
    )


def _balanced(count: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    return generator.permutation(np.arange(count) % 2).astype(np.int64)
