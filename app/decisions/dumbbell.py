"""Right answers by group, before and after, as positions for an SVG; its numbers stand in a table beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.models.figures import Estimate, Figures

# In the drawing's own units: narrow enough for a telephone, so a group's name stands over its line, not beside it.
WIDTH = 360
LEFT, RIGHT = 10, 18
ROW = 30
TOP, BOTTOM = 2, 20
BELOW_NAME = 22
TICKS = 4  # gaps between ticks
LONGEST_NAME = 52


@dataclass(frozen=True)
class Row:
    name: str
    short: str  # where the name is too long for the drawing
    y_name: float
    y: float
    before: Estimate
    after: Estimate
    x_before: float | None
    x_after: float | None
    interval_after: tuple[float, float] | None
    is_worst: bool  # before: the group that the realignment is for

    @property
    def change(self) -> float | None:
        return None if self.before.value is None or self.after.value is None else self.after.value - self.before.value


@dataclass(frozen=True)
class Dumbbell:
    rows: Sequence[Row]
    ticks: Sequence[tuple[float, int]]  # x, percent
    height: float
    width: int = WIDTH

    @property
    def fallen(self) -> list[Row]:
        """The groups that lost, the largest loss first."""
        lost = [row for row in self.rows if row.change is not None and row.change < 0]
        return sorted(lost, key=lambda row: row.change or 0)


def dumbbell(before: Figures, after: Figures) -> Dumbbell:
    """Groups in the order of the later report; the axis begins at a round number under the lowest figure."""
    earlier = {group.name: group.accuracy for group in before.groups}
    pairs = [(group.name, earlier.get(group.name, Estimate()), group.accuracy) for group in after.groups]
    low = axis_start([each.low or each.value for _, *both in pairs for each in both])
    rows = [
        Row(
            name=name,
            short=name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…",
            y_name=TOP + ROW * index + 12,
            y=TOP + ROW * index + BELOW_NAME,
            before=old,
            after=new,
            x_before=position(old.value, low),
            x_after=position(new.value, low),
            interval_after=interval(new, low),
            is_worst=name == before.worst_group_name,
        )
        for index, (name, old, new) in enumerate(pairs)
    ]
    step = (1 - low) / TICKS
    ticks = [(scaled(low + step * index, low), round(100 * (low + step * index))) for index in range(TICKS + 1)]
    return Dumbbell(rows, ticks, TOP + ROW * len(rows) + BOTTOM)


def axis_start(values: Sequence[float | None]) -> float:
    """A multiple of 20 %, so that four gaps have round ticks; never so high that a fall looks like a crash."""
    lowest = min((value for value in values if value is not None), default=0.0)
    return min(0.6, int(lowest * 5) / 5)


def scaled(share: float, low: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (share - low) / (1 - low)


def position(share: float | None, low: float) -> float | None:
    return None if share is None else scaled(share, low)


def interval(estimate: Estimate, low: float) -> tuple[float, float] | None:
    if estimate.low is None or estimate.high is None:
        return None
    return scaled(max(estimate.low, low), low), scaled(estimate.high, low)
