"""Handwriting-like digits drawn from strokes: 28 x 28, light on black, in the manner of MNIST, and none of its images.

Each digit is a few skeletons of control points. A sample bends one of them: control points jitter, a smooth curve goes
through them, the whole is slanted, turned, stretched and warped, then inked with a pen of varying width and pressure.
"""

import numpy as np
import numpy.typing as npt

SIDE = 28
BOX = 20.0  # MNIST fits digits into 20 x 20 pixels and centres their mass
CURVE_POINTS = 14  # per segment between two control points
Floats = npt.NDArray[np.float64]

# Control points (x, y) in a unit square, y downwards; a digit is a choice of skeletons, a skeleton a list of strokes.
_O = [(0.5, 0.0), (0.12, 0.2), (0.05, 0.6), (0.3, 0.98), (0.7, 0.95), (0.95, 0.55), (0.82, 0.12), (0.48, 0.01)]
SKELETONS: tuple[tuple[tuple[list[tuple[float, float]], ...], ...], ...] = (
    ((_O,), ([(0.6, 0.02), *_O[1:-1], (0.4, 0.06)],)),
    (
        ([(0.5, 0.0), (0.5, 0.5), (0.5, 1.0)],),
        ([(0.6, 0.0), (0.5, 0.5), (0.4, 1.0)],),
        ([(0.32, 0.2), (0.52, 0.02), (0.52, 0.02), (0.5, 0.5), (0.5, 1.0)],),
    ),
    (
        (
            [
                *((0.1, 0.22), (0.4, 0.0), (0.8, 0.14), (0.72, 0.45), (0.4, 0.72), (0.08, 0.96)),
                *((0.08, 0.96), (0.5, 0.94), (0.92, 0.95)),
            ],
        ),
        (
            [
                *((0.12, 0.2), (0.45, 0.0), (0.8, 0.2), (0.6, 0.6), (0.25, 0.93), (0.06, 0.85), (0.22, 0.72)),
                *((0.5, 0.88), (0.95, 0.92)),
            ],
        ),
    ),
    (
        (
            [
                *((0.12, 0.1), (0.5, 0.0), (0.82, 0.18), (0.65, 0.42), (0.38, 0.48), (0.38, 0.48), (0.75, 0.56)),
                *((0.88, 0.78), (0.55, 1.0), (0.08, 0.9)),
            ],
        ),
        (
            [
                *((0.15, 0.04), (0.82, 0.04), (0.82, 0.04), (0.45, 0.42), (0.45, 0.42), (0.85, 0.6)),
                *((0.75, 0.92), (0.4, 1.0), (0.08, 0.88)),
            ],
        ),
    ),
    (
        ([(0.2, 0.0), (0.12, 0.32), (0.14, 0.52), (0.5, 0.55), (0.86, 0.46)], [(0.82, 0.04), (0.78, 0.5), (0.72, 1.0)]),
        ([(0.62, 0.0), (0.3, 0.35), (0.05, 0.62), (0.05, 0.62), (0.95, 0.6)], [(0.66, 0.05), (0.64, 0.5), (0.62, 1.0)]),
    ),
    (
        (
            [
                *((0.85, 0.02), (0.25, 0.04), (0.25, 0.04), (0.18, 0.42), (0.18, 0.42), (0.6, 0.4)),
                *((0.86, 0.66), (0.6, 0.96), (0.1, 0.92)),
            ],
        ),
        ([(0.3, 0.05), (0.22, 0.42), (0.6, 0.42), (0.85, 0.7), (0.5, 1.0), (0.1, 0.9)], [(0.3, 0.05), (0.88, 0.03)]),
    ),
    (
        (
            [
                *((0.72, 0.0), (0.3, 0.3), (0.12, 0.7), (0.35, 0.98), (0.72, 0.92), (0.8, 0.68), (0.55, 0.52)),
                *((0.2, 0.68),),
            ],
        ),
        ([(0.5, 0.0), (0.2, 0.4), (0.15, 0.8), (0.5, 1.0), (0.8, 0.8), (0.6, 0.58), (0.22, 0.72)],),
    ),
    (
        ([(0.08, 0.08), (0.88, 0.05), (0.88, 0.05), (0.6, 0.5), (0.42, 1.0)],),
        ([(0.08, 0.08), (0.88, 0.05), (0.88, 0.05), (0.55, 0.5), (0.35, 1.0)], [(0.32, 0.5), (0.8, 0.48)]),
        ([(0.1, 0.2), (0.12, 0.06), (0.85, 0.06), (0.85, 0.06), (0.7, 0.5), (0.62, 1.0)],),
    ),
    (
        (
            [
                *((0.78, 0.14), (0.48, 0.0), (0.2, 0.18), (0.42, 0.44), (0.76, 0.7), (0.6, 0.98), (0.26, 0.94)),
                *((0.24, 0.7), (0.55, 0.46), (0.8, 0.22), (0.74, 0.1)),
            ],
        ),
        (
            [(0.5, 0.0), (0.22, 0.2), (0.5, 0.45), (0.78, 0.2), (0.5, 0.0)],
            [(0.5, 0.45), (0.16, 0.72), (0.5, 1.0), (0.84, 0.72), (0.5, 0.45)],
        ),
    ),
    (
        (
            [
                *((0.78, 0.2), (0.45, 0.0), (0.14, 0.22), (0.35, 0.5), (0.72, 0.36), (0.8, 0.14), (0.8, 0.14)),
                *((0.76, 0.55), (0.66, 1.0)),
            ],
        ),
        ([(0.75, 0.1), (0.35, 0.03), (0.15, 0.3), (0.45, 0.48), (0.78, 0.2), (0.72, 0.65), (0.35, 1.0)],),
    ),
)


def draw_digit(label: int, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One digit, (28, 28), 0 on the ground up to 255 where the ink is full."""
    skeletons = SKELETONS[label]
    skeleton = skeletons[generator.integers(len(skeletons))]
    strokes = [_curve(np.array(points) + generator.normal(0, 0.035, (len(points), 2))) for points in skeleton]
    points = _place(_warp(np.concatenate(strokes), generator), label, generator)
    pieces = np.split(points, np.cumsum([len(stroke) for stroke in strokes])[:-1])
    ink = np.max([_ink(piece, generator.uniform(0.75, 1.9), generator) for piece in pieces], axis=0)
    return np.round(255 * _centred(ink)).astype(np.uint8)


def draw_digits(labels: npt.NDArray[np.int64], generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One digit for each label: (N,) -> (N, 28, 28)."""
    return np.stack([draw_digit(int(label), generator) for label in labels])


def _curve(control: Floats) -> Floats:
    """A Catmull-Rom curve through the control points (P, 2); two equal points in a row make a corner."""
    padded = np.concatenate([2 * control[:1] - control[1:2], control, 2 * control[-1:] - control[-2:-1]])
    t = np.linspace(0, 1, CURVE_POINTS, endpoint=False)[:, None]
    pieces = []
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        slope_start, slope_end = (end - before) / 2, (after - start) / 2
        rise = end - start
        cubic = slope_start + slope_end - 2 * rise
        square = 3 * rise - 2 * slope_start - slope_end
        pieces.append(start + t * (slope_start + t * (square + t * cubic)))
    return np.concatenate([*pieces, control[-1:]])


def _warp(points: Floats, generator: np.random.Generator) -> Floats:
    """Bend smoothly: each coordinate is shifted by slow waves of both."""
    shift = np.zeros_like(points)
    for _ in range(3):
        direction = generator.normal(0, 1.0, 2)
        phase = generator.uniform(0, 2 * np.pi)
        wave = np.sin(points @ direction * np.pi + phase)
        shift += generator.normal(0, 0.025, 2) * wave[:, None]
    return points + shift


def _place(points: Floats, label: int, generator: np.random.Generator) -> Floats:
    """Slant, turn, stretch, and fit into the box: points in pixels."""
    slant, angle = generator.normal(0.18, 0.25), generator.normal(0, 0.12)
    # Ones are thin whatever their box; other digits are somewhat narrower than high.
    width = generator.uniform(0.55, 1.0) if label != 1 else 0.6
    centred = (points - points.mean(axis=0)) * [width, 1.0]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = (centred @ np.array([[1.0, 0.0], [-slant, 1.0]])) @ turn
    low, high = turned.min(axis=0), turned.max(axis=0)
    scale = (BOX - generator.uniform(1.0, 3.5)) / (high - low).max()
    placed: Floats = (turned - (low + high) / 2) * scale + SIDE / 2
    return placed


def _ink(points: Floats, radius: float, generator: np.random.Generator) -> Floats:
    """(28, 28) in [0, 1]: ink around a polyline, its width swelling along the stroke, its edge a little soft."""
    swell = 1 + generator.uniform(0, 0.25) * np.sin(np.linspace(0, generator.uniform(1, 7), len(points)))
    centres = np.arange(SIDE) + 0.5
    dx = centres[None, :, None] - points[:, 0]
    dy = centres[:, None, None] - points[:, 1]
    reach = radius * swell - np.sqrt(dx**2 + dy**2)
    softness = generator.uniform(0.5, 0.9)
    inked: Floats = np.clip(reach.max(axis=2) / (2 * softness) + 0.5, 0, 1)
    return inked


def _centred(ink: Floats) -> Floats:
    """Move the centre of mass to the middle by whole pixels, as MNIST does."""
    total = ink.sum()
    rows, columns = np.indices(ink.shape)
    down = round(SIDE / 2 - 0.5 - float((ink * rows).sum() / total))
    right = round(SIDE / 2 - 0.5 - float((ink * columns).sum() / total))
    # At most 3 pixels, which the box leaves free on every side: nothing is pushed over the edge.
    return np.roll(ink, (int(np.clip(down, -3, 3)), int(np.clip(right, -3, 3))), axis=(0, 1))
