"""The curves of a training, drawn as inline SVG: no script, no picture to wait for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.models import Epoch

WIDTH, HEIGHT = 300, 150  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 8, 22  # room for the axes' words

# What an epoch's figures are called, and whether they are shares of 1.
SHARES: dict[str, str] = {
    "accuracy": "Right answers in training",
    "validation_accuracy": "Right answers, validation",
    "worst_group": "Right answers in the worst group",
    "evidence_on_spurious": "Evidence on spurious clusters",
    "mu_align": "Evidence on the true mask",
}
AMOUNTS: dict[str, str] = {"loss": "Loss", "penalty": "Penalty for wrong reasons"}


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    epoch: int
    value: str


@dataclass(frozen=True)
class Tick:
    y: float
    word: str


@dataclass(frozen=True)
class Curve:
    """One figure over the epochs, in the drawing's units."""

    key: str
    title: str
    points: Sequence[Point]
    ticks: Sequence[Tick]
    first: int
    last: int
    summary: str  # for those who can't see the drawing

    @property
    def path(self) -> str:
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


def curves_of(epochs: Sequence[Epoch]) -> list[Curve]:
    """One curve for every figure that the epochs carry: known ones in their order, then others."""
    present = dict.fromkeys(key for epoch in epochs for key, value in epoch.figures.items() if is_number(value))
    known = [key for key in (*AMOUNTS, *SHARES) if key in present]
    others = [key for key in present if key not in known]
    return [curve(key, epochs) for key in (*known, *others)]


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def curve(key: str, epochs: Sequence[Epoch]) -> Curve:
    measured = [(epoch.number, float(epoch.figures[key])) for epoch in epochs if is_number(epoch.figures.get(key))]
    low, high = span(key, [value for _, value in measured])
    first, last = measured[0][0], measured[-1][0]
    points = [
        Point(along(number, first, last), across(value, low, high), number, word(key, value))
        for number, value in measured
    ]
    title = (AMOUNTS | SHARES).get(key, key.replace("_", " ").capitalize())
    summary = f"{title}: {points[0].value} after epoch {first}, {points[-1].value} after epoch {last}."
    ticks = [Tick(across(value, low, high), word(key, value)) for value in (low, (low + high) / 2, high)]
    return Curve(key, title, points, ticks, first, last, summary)


def span(key: str, values: Sequence[float]) -> tuple[float, float]:
    """Shares always run from 0 to 1, so that a fall looks as large as it is; amounts from 0 to the largest."""
    if key in SHARES:
        return 0.0, 1.0
    low, high = min(0.0, *values), max(0.0, *values)
    return (low, high) if high > low else (low, low + 1.0)


def along(number: int, first: int, last: int) -> float:
    width = WIDTH - LEFT - RIGHT
    return LEFT + (width * (number - first) / (last - first) if last > first else width / 2)


def across(value: float, low: float, high: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))


def word(key: str, value: float) -> str:
    return f"{100 * value:.0f} %" if key in SHARES else f"{value:.3g}"
