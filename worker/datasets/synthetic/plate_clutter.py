"""What else a radiograph shows, whatever its label: the beam's edge, a date, beads of a ruler, a surgeon's metal."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from worker.datasets.synthetic.chances import happens
from worker.datasets.synthetic.shapes import Grey, Stroke, ellipse, filled, stroked

DATE_HEIGHT = 40


def add_clutter(grey: Grey, generator: np.random.Generator) -> None:
    """Draw into a plate (S, S) in 0..1. Most plates stay as they are."""
    add_beam_edge(grey, generator)
    if happens(generator, 0.05):
        _cover(grey, _date(generator, len(grey)), 0.8)
    if happens(generator, 0.03):
        _cover(grey, _beads(generator, len(grey)), 1.0)
    if happens(generator, 0.015):
        _cover(grey, _metal(generator, len(grey)), 1.0)


def add_beam_edge(grey: Grey, generator: np.random.Generator) -> None:
    """Darken what the beam did not reach at one side, or brighten what lay under the table's rim."""
    shown = happens(generator, 0.12)
    near, far = generator.uniform(0.01, 0.1), generator.uniform(-0.06, 0.12)
    strip = np.array([(-0.1, -0.1), (near, -0.1), (far, 1.1), (-0.1, 1.1)])
    left, black = happens(generator, 0.5), happens(generator, 0.7)
    if shown:
        strip[:, 0] = strip[:, 0] if left else 1 - strip[:, 0]
        cover = filled([strip], len(grey))
        grey += cover * ((0.02 if black else 0.85) - grey) * (0.95 if black else 0.4)


def _cover(grey: Grey, cover: Grey, brightness: float) -> None:
    grey += cover * (brightness - grey)


def _beads(generator: np.random.Generator, size: int) -> Grey:
    x = generator.uniform(0.02, 0.06)
    x = x if happens(generator, 0.5) else 1 - x
    return filled(
        [ellipse((x, y), (0.012, 0.014), points=12) for y in np.arange(generator.uniform(0, 0.25), 1, 0.25)], size
    )


def _metal(generator: np.random.Generator, size: int) -> Grey:
    start = generator.uniform((0.1, 0.75), (0.3, 0.95))
    end = start + generator.uniform((0.25, -0.12), (0.6, 0.05))
    head = np.array([(-0.002, -0.02), (0.002, 0.02)])
    rods = [Stroke(np.stack([start, end]), 0.014, 1.0), Stroke(start + head, 0.03, 1.0), Stroke(end + head, 0.03, 1.0)]
    return stroked(rods, size)


def _date(generator: np.random.Generator, size: int) -> Grey:
    day, month, year = generator.integers((1, 1, 1994), (29, 13, 2012))
    text = Image.new("L", (DATE_HEIGHT * 6, DATE_HEIGHT))
    ImageDraw.Draw(text).text((4, 4), f"{day:02d}/{month:02d}/{year}", 255, _font())
    width = generator.uniform(0.2, 0.32)
    small = text.resize((max(4, round(width * size)), max(2, round(width * size / 6))), Image.Resampling.BOX)
    canvas = Image.new("L", (size, size))
    top = generator.choice([0.01, 0.93])
    canvas.paste(small, (round(generator.uniform(0.02, 0.98 - width) * size), round(top * size)))
    return np.asarray(np.asarray(canvas, dtype=np.float32) / 255 * generator.uniform(0.5, 0.9), dtype=np.float32)


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(DATE_HEIGHT * 3 // 4)
