"""Outlines and strokes in coordinates from 0 (left, top) to 1 (right, bottom), so that any size shows the same picture.

What lies outside is cut off. Masks are antialiased by drawing them larger and averaging.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Points = npt.NDArray[np.float64]  # (P, 2): x and y
Grey = npt.NDArray[np.float32]  # (S, S)

SMALL = 128
STEPS = 6


@dataclass(frozen=True)
class Stroke:
    points: Points
    width: float  # in picture widths
    value: float  # 0 to 1, what the line adds


def closed_spline(points: Points) -> Points:
    """A smooth closed outline through the points (P, 2): (6 P, 2), Catmull-Rom, each stretch ruled by four points."""
    return _spline(np.concatenate([points[-1:], points, points[:2]]))


def open_spline(points: Points) -> Points:
    """A smooth line through the points (P, 2) from the first to the last: (6 (P - 1) + 1, 2)."""
    smooth = _spline(np.concatenate([points[:1], points, points[-1:]]))
    return np.concatenate([smooth, points[-1:]])


def ellipse(centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0, points: int = 40) -> Points:
    """(points, 2): an ellipse turned by an angle in radians."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    flat = np.stack([radii[0] * np.cos(turn), radii[1] * np.sin(turn)], axis=1)
    return np.asarray(flat @ rotation(angle).T + np.asarray(centre))


def rotation(angle: float) -> npt.NDArray[np.float64]:
    """(2, 2): turns column vectors by an angle in radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def filled(outlines: Iterable[Points], size: int) -> Grey:
    """(S, S) in 0..1: the share of each pixel that lies inside any of the closed outlines."""
    factor = _enlargement(size)
    canvas = Image.new("L", (size * factor, size * factor))
    draw = ImageDraw.Draw(canvas)
    for outline in outlines:
        draw.polygon(_on_canvas(outline, canvas), fill=255)
    return _reduced(canvas, factor)


def stroked(strokes: Iterable[Stroke], size: int) -> Grey:
    """(S, S) in 0..1: the lines' values, each weighed by the share of the pixel that its line covers."""
    factor = _enlargement(size)
    canvas = Image.new("L", (size * factor, size * factor))
    draw = ImageDraw.Draw(canvas)
    for stroke in strokes:
        width = max(1, round(stroke.width * canvas.width))
        draw.line(_on_canvas(stroke.points, canvas), fill=round(255 * stroke.value), width=width)
    return _reduced(canvas, factor)


def _spline(points: Points) -> Points:
    stretches = np.stack([points[:-3], points[1:-2], points[2:-1], points[3:]])  # (4, P - 3, 2)
    return np.asarray(np.einsum("sk,kpc->psc", _catmull_rom(), stretches).reshape(-1, 2))


@lru_cache(maxsize=1)
def _catmull_rom() -> npt.NDArray[np.float64]:
    """(STEPS, 4): the weights of four neighbouring points along the stretch between the middle two."""
    t = np.linspace(0, 1, STEPS, endpoint=False)[:, None]
    return (
        np.concatenate([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], axis=1)
        / 2
    )


def _enlargement(size: int) -> int:
    return 3 if size <= SMALL else 2


def _on_canvas(points: Points, canvas: Image.Image) -> list[float]:
    flat: list[float] = (points * canvas.width - 0.5).ravel().tolist()
    return flat


def _reduced(canvas: Image.Image, factor: int) -> Grey:
    return np.asarray(np.asarray(canvas.reduce(factor), dtype=np.float32) / 255, dtype=np.float32)
