"""Skin as a dermatoscope sees it, and what else lies in its view: hair, ruler, pen, bubbles, the dark rim.

Nothing here depends on a label.
"""

import numpy as np
import numpy.typing as npt

from worker.datasets.synthetic.chances import happens
from worker.datasets.synthetic.shapes import Grey, Points, Stroke, ellipse, filled, open_spline, rotation, stroked
from worker.datasets.synthetic.textures import mesh, noise, smoothstep

Colour = npt.NDArray[np.float32]  # (S, S, 3) in 0..1

# Optical density per channel (red, green, blue) of what colours skin: pigment near the surface, and blood.
MELANIN = np.array([0.45, 0.85, 1.2], dtype=np.float32)
BLOOD = np.array([0.08, 0.75, 0.6], dtype=np.float32)
# The main axes along which skins differ, in log colours.
LIGHT = np.array([0.39, 0.62, 0.69])
WARMTH = np.array([0.9, -0.08, -0.44])
REDNESS = np.array([0.22, -0.78, 0.58])
HAIRS = np.array([(0.16, 0.1, 0.08), (0.3, 0.2, 0.14), (0.08, 0.07, 0.09)])
PENS = np.array([(0.33, 0.2, 0.55), (0.25, 0.2, 0.4), (0.15, 0.2, 0.5)])


def skin(generator: np.random.Generator, size: int) -> Colour:
    """Bare skin of some person under some lamp."""
    # Log colours of 330 photographed lesions' surroundings: mean, and their spread along light, warmth and redness.
    tone = np.array([-0.33, -0.52, -0.6])
    tone = tone + generator.normal(0.1, 0.38) * LIGHT + generator.uniform(-0.08, 0.22) * WARMTH
    tone += generator.uniform(-0.03, 0.05) * REDNESS
    # The photographer sets the lamp by the brightest channel.
    tone -= max(0.0, tone.max() + 0.08)
    pigment = 0.03 * noise(generator, 4, 4, size) + 0.02 * noise(generator, 24, 24, size)
    pigment += generator.uniform(0.005, 0.03) * noise(generator, 120, 120, size)
    flush = noise(generator, 5, 5, size) + 0.7 * noise(generator, 13, 13, size) + 0.7 * noise(generator, 45, 45, size)
    flush *= min(generator.gamma(2, 0.01), 0.05)
    density = pigment[..., None] * MELANIN + flush[..., None] * BLOOD
    return np.asarray(np.exp(tone.astype(np.float32) - density))


def lamp(generator: np.random.Generator, size: int) -> Grey:
    """(S, S): uneven light, brighter on one side and in the middle."""
    x, y = mesh(size)
    slope = generator.normal(0, 0.08, 2)
    fall = generator.uniform(0, 0.5)
    radius = (x - 0.5) ** 2 + (y - 0.5) ** 2
    return np.asarray(1 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5) - fall * radius, dtype=np.float32)


def rim(generator: np.random.Generator, size: int) -> Grey:
    """(S, S): what the round edge of the lens leaves of the light; at times it lies outside the picture."""
    x, y = mesh(size)
    shown = happens(generator, 0.25)
    centre = generator.normal(0.5, 0.03, 2)
    radii = generator.uniform(0.54, 0.72, 2)
    soft = generator.choice([0.02, 0.12, 0.4])
    if not shown:
        return np.ones((size, size), dtype=np.float32)
    distance = np.sqrt(((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2)
    return np.asarray(0.12 + 0.88 * smoothstep(1 + soft, 1, distance))


def add_hair(picture: Colour, generator: np.random.Generator) -> None:
    """Draw hair into the picture: none on half of the patients, on others up to forty."""
    count = int(generator.choice([0, 0, 0, 0, 3, 8, 20, 40]))
    colour = HAIRS[generator.integers(len(HAIRS))]
    width = generator.uniform(0.003, 0.007)
    strokes = []
    direction = generator.uniform(0, np.pi)
    for _ in range(count):
        start = generator.uniform(-0.1, 1.1, 2)
        step = rotation(direction + generator.normal(0, 0.6))[0] * generator.uniform(0.1, 0.45)
        middle = start + step + generator.normal(0, 0.07, 2)
        strokes.append(
            Stroke(open_spline(np.stack([start, middle, start + 2 * step])), width, generator.uniform(0.3, 0.9))
        )
    if strokes:
        _paint(picture, stroked(strokes, len(picture)), colour)


def add_ruler(picture: Colour, generator: np.random.Generator) -> None:
    """Draw the dermatoscope's scale into every third picture: a small bar with ticks, or ticks along an edge."""
    shown, small = happens(generator, 0.33), happens(generator, 0.6)
    angle = generator.normal(0, 0.12)
    start = np.array([generator.uniform(0.15, 0.4), generator.uniform(0.8, 0.95)])
    length = generator.uniform(0.35, 0.5) if small else 1.0
    if not small:
        start, angle = np.array([generator.uniform(0.03, 0.1), 0.02]), angle + np.pi / 2
    if not shown:
        return
    turn = rotation(angle)
    ticks = np.linspace(0, length, 21 if small else 16)
    strokes = []
    for number, tick in enumerate(ticks):
        height = 0.03 if number % 5 == 0 else 0.016
        ends = np.array([(tick, 0.0), (tick, -height if small else height * 1.5)])
        strokes.append(Stroke(ends @ turn.T + start, 0.004, 0.75))
    if small:
        strokes.append(Stroke(np.array([(0.0, 0.0), (length, 0.0)]) @ turn.T + start, 0.005, 0.8))
    _paint(picture, stroked(strokes, len(picture)), np.array([0.16, 0.12, 0.12]))


def add_pen(picture: Colour, generator: np.random.Generator, around: tuple[float, float]) -> None:
    """Draw a surgeon's ring of ink around a place in a few pictures."""
    shown = happens(generator, 0.03)
    radii = generator.uniform(0.28, 0.4, 2)
    ring = ellipse(around, (radii[0], radii[1]), generator.uniform(0, np.pi)) + generator.normal(0, 0.008, (40, 2))
    colour, width = PENS[generator.integers(len(PENS))], generator.uniform(0.015, 0.05)
    patchy = noise(generator, 60, 60, len(picture))
    if shown:
        _paint(picture, stroked([Stroke(ring, width, 0.75)], len(picture)) * smoothstep(-2.0, 0.3, patchy), colour)


def add_bubbles(picture: Colour, generator: np.random.Generator) -> None:
    """Draw glints of light in the gel between lens and skin into some pictures."""
    count = int(generator.choice([0, 0, 0, 2, 6, 25]))
    middle = generator.uniform(0.1, 0.9, 2)
    spread = generator.uniform(0.08, 0.4)
    glints = [_glint(generator, middle, spread) for _ in range(count)]
    if glints:
        _paint(picture, 0.8 * filled(glints, len(picture)), np.array([0.97, 0.96, 0.96]))


def _glint(generator: np.random.Generator, middle: npt.NDArray[np.float64], spread: float) -> Points:
    place = middle + generator.normal(0, spread, 2)
    radii = generator.uniform(0.002, 0.009, 2)
    return ellipse((place[0], place[1]), (radii[0], radii[1]), generator.uniform(0, np.pi), points=10)


def _paint(picture: Colour, cover: Grey, colour: npt.NDArray[np.float64]) -> None:
    picture += cover[..., None] * (colour.astype(np.float32) - picture)
