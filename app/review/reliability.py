"""Whether the judge's probabilities hold by people's answers: what a calibration found, and its plot as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.languages.catalogue import gettext
from app.languages.figures import count, percent
from app.models import Cluster, Critique, Explanation, Kind, Review, Run, State
from app.models.reliability import Curve, Reliability
from app.runs.queries import WITHOUT_RESULT, results_of, runs_on

KEY = "reliability"
# In the drawing's own units.
SIDE, LEFT, TOP, RIGHT, BOTTOM = 260, 30, 20, 12, 34
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
SMALLEST, LARGEST = 3.0, 7.0  # radius of a dot


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    low: float
    high: float
    radius: float  # its area stands for the number of regions
    words: str


@dataclass(frozen=True)
class Plot:
    raw: Sequence[Dot]
    calibrated: Sequence[Dot]
    ticks: Sequence[tuple[float, float, int]]  # x, y, percent
    side: int = SIDE
    left: int = LEFT
    top: int = TOP
    width: int = LEFT + SIDE + RIGHT
    height: int = TOP + SIDE + BOTTOM


def answers_given(session: Session, critique_id: UUID) -> int:
    """Rows of answers on a critique's regions, withdrawals too: rows are only added, so the number only grows."""
    theirs = (
        select(Cluster.id)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .join(Critique, Critique.explanation_id == Explanation.id)
        .where(Critique.run_id == critique_id)
    )
    counted = select(func.count()).select_from(Review).where(Review.cluster_id.in_(theirs))
    return session.scalar(counted) or 0


def calibrations(session: Session, critique: Run) -> tuple[Run | None, Reliability | None]:
    """The newest calibration of a critique where it did not succeed, or not yet; and what the newest one found."""
    runs = session.scalars(runs_on(critique.id, Kind.CALIBRATION).options(*WITHOUT_RESULT)).all()
    done = next((run for run in runs if run.state is State.SUCCEEDED), None)
    newest = runs[0] if runs and runs[0] is not done else None
    return newest, Reliability.model_validate(*results_of(session, done.id, KEY)) if done else None


def plot(found: Reliability) -> Plot:
    """Both curves on a square from 0 to 1; what was predicted runs to the right, what came true upwards."""
    ticks = [(across(tick), up(tick), round(100 * tick)) for tick in TICKS]
    return Plot(dots(found.raw), dots(found.calibrated), ticks)


def dots(curve: Curve) -> list[Dot]:
    largest = max((point.spurious.n for point in curve.points), default=1)
    return [
        Dot(
            x=across(point.predicted),
            y=up(point.spurious.value or 0.0),
            low=up(point.spurious.low or 0.0),
            high=up(1.0 if point.spurious.high is None else point.spurious.high),
            radius=max(SMALLEST, LARGEST * (point.spurious.n / largest) ** 0.5),
            words=gettext(
                "%(predicted)s predicted, %(so)s so, n = %(n)s",
                predicted=percent(point.predicted),
                so=percent(point.spurious.value or 0),
                n=count(point.spurious.n),
            ),
        )
        for point in curve.points
    ]


def across(share: float) -> float:
    return round(LEFT + SIDE * share, 1)


def up(share: float) -> float:
    return round(TOP + SIDE * (1 - share), 1)
