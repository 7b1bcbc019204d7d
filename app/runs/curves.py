"""The curves of a training, drawn as inline SVG: no script, no picture to wait for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.languages.catalogue import gettext, msgid
from app.languages.figures import decimal, significant
from app.models import Epoch

WIDTH, HEIGHT = 300, 150  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 8, 22  # room for the axes' words

# What an epoch's figures are called, and whether they are shares of 1.
SHARES: dict[str, str] = {
    "accuracy": msgid("Right answers in training"),
    "validation_accuracy": msgid("Right answers, validation"),
    "worst_group": msgid("Right answers in the worst group"),
    "agreement": msgid("Same answer with and without spurious regions"),
    "evidence_on_spurious": msgid("Evidence on spurious regions"),
}
# An arm is named where there is another to tell it from.
ARMS = {"control": msgid("without correction")}
AMOUNTS: dict[str, str] = {"loss": msgid("Loss"), "penalty": msgid("Penalty for wrong reasons")}


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
class Line:
    """One arm's points, such as the correction's or the control's."""

    name: str
    points: Sequence[Point]

    @property
    def path(self) -> str:
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


@dataclass(frozen=True)
class Curve:
    """One figure over the epochs, in the drawing's units; the first line is what is trained for.

    chosen: where the epoch lies whose weights were delivered, once that is known.
    """

    key: str
    title: str
    lines: Sequence[Line]
    ticks: Sequence[Tick]
    first: int
    last: int
    summary: str  # for those who can't see the drawing
    chosen: float | None = None


def curves_of(epochs: Sequence[Epoch], chosen: int | None = None) -> list[Curve]:
    """One curve for every known figure that the epochs carry, in its order. chosen: the epoch that was delivered."""
    present = {key for epoch in epochs for key, value in epoch.figures.items() if is_number(value)}
    return [curve(key, epochs, chosen) for key in (*AMOUNTS, *SHARES) if key in present]


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def curve(key: str, epochs: Sequence[Epoch], chosen: int | None = None) -> Curve:
    arms: dict[str, list[tuple[int, float]]] = {}
    for epoch in epochs:
        if is_number(epoch.figures.get(key)):
            number = epoch.figures.get("epoch", epoch.number)
            arms.setdefault(str(epoch.figures.get("arm", "")), []).append((number, float(epoch.figures[key])))
    measured = [pair for pairs in arms.values() for pair in pairs]
    low, high = span(key, [value for _, value in measured])
    first, last = min(number for number, _ in measured), max(number for number, _ in measured)
    lines = [
        Line(
            gettext(ARMS[arm]) if arm in ARMS else "",
            [
                Point(along(number, first, last), across(value, low, high), number, word(key, value))
                for number, value in pairs
            ],
        )
        for arm, pairs in arms.items()
    ]
    title = gettext((AMOUNTS | SHARES)[key])
    ticks = [Tick(across(value, low, high), word(key, value)) for value in (low, (low + high) / 2, high)]
    words = [told(line) for line in lines]
    if chosen is not None:
        words.append(gettext("Epoch %(number)s is delivered.", number=chosen))
    x = None if chosen is None else along(chosen, first, last)
    return Curve(key, title, lines, ticks, first, last, f"{title}: {' '.join(words)}", x)


def told(line: Line) -> str:
    start, end = line.points[0], line.points[-1]
    words = gettext(
        "%(start)s after epoch %(first)s, %(end)s after epoch %(last)s.",
        start=start.value,
        first=start.epoch,
        end=end.value,
        last=end.epoch,
    )
    return f"{line.name}: {words}" if line.name else words


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
    return f"{decimal(100 * value)} %" if key in SHARES else significant(value, 3)
