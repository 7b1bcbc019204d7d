"""Side markers of radiographs: a lead letter R or L, at times with initials or on a plate of its own."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from worker.datasets.synthetic.chances import happens, pick
from worker.datasets.synthetic.shapes import Grey

# The letter is drawn this large, with room around it, and then turned, blurred and shrunk into its place.
LETTER = 96
TILE = 192
FAINTEST = 0.02
PLATES = {"none": 0.62, "rectangle": 0.2, "disc": 0.06, "frame": 0.06, "ring": 0.06}
PLACES = {"corner": 0.8, "side": 0.15, "anywhere": 0.05}
INITIALS = "ABCDEFGHJKLMNPRSTW1234567"


@dataclass(frozen=True)
class Marker:
    grey: Grey  # (S, S), 0..1, brightness of the marker
    cover: Grey  # (S, S), 0..1, how much of the picture it hides; 0 where it is not


@dataclass(frozen=True)
class _Lead:
    """letter, plate: masks in 0..255 of the same size; each with its brightness and how much it hides, 0..1."""

    letter: Image.Image
    plate: Image.Image
    brightness: tuple[float, float]
    hides: tuple[float, float]


def sample_marker(generator: np.random.Generator, size: int) -> Marker:
    """A marker as hospitals have them, mostly near a corner, wholly inside the picture of ``size`` pixels."""
    lead = _turned(_lead(generator), generator)
    box = lead.letter.size
    height = generator.uniform(0.14, 0.21)
    scale = height * size / max(box[1], 0.6 * box[0])
    small = (max(3, round(box[0] * scale)), max(3, round(box[1] * scale)))
    letter, plate = (
        np.asarray(layer.resize(small, Image.Resampling.BOX), dtype=np.float32) / 255 * hides
        for layer, hides in zip((lead.letter, lead.plate), lead.hides, strict=True)
    )
    cover = 1 - (1 - letter) * (1 - plate)
    shine = letter * lead.brightness[0] + (1 - letter) * plate * lead.brightness[1]
    left, top = _corner(generator, (small[0] / size, small[1] / size))
    window = np.s_[round(top * size) :, round(left * size) :]
    marker = Marker(np.zeros((size, size), dtype=np.float32), np.zeros((size, size), dtype=np.float32))
    rows, columns = (min(small[1], size), min(small[0], size))
    covered = cover >= FAINTEST
    marker.cover[window][:rows, :columns] = np.where(covered, cover, 0)
    marker.grey[window][:rows, :columns] = np.where(covered, shine / np.maximum(cover, FAINTEST), 0)
    return marker


def _lead(generator: np.random.Generator) -> _Lead:
    letter = _letter("RL"[generator.integers(2)], generator)
    if happens(generator, 0.4):
        _add_initials(letter, generator)
    plate = _plate(letter, pick(generator, PLATES), generator)
    return _Lead(
        letter,
        plate,
        (generator.uniform(0.92, 1.0), generator.uniform(0.45, 0.65)),
        (generator.beta(4, 1.0) * 0.5 + 0.5, generator.uniform(0.3, 0.7)),
    )


def _letter(name: str, generator: np.random.Generator) -> Image.Image:
    """A tile with the letter in it, thick or thin, in the font or, for L, as two bars of lead."""
    tile = Image.new("L", (TILE, TILE))
    draw = ImageDraw.Draw(tile)
    wide = round(LETTER * generator.uniform(0.4, 0.7))
    thick = int(generator.choice([9, 14, 22, 28]))
    weight = int(generator.integers(1, 10))
    left, top = (TILE - wide) // 2, (TILE - LETTER) // 2
    if name == "L" and happens(generator, 0.7):
        draw.rectangle((left, top, left + thick, top + LETTER), fill=255)
        draw.rectangle((left, top + LETTER - thick, left + wide, top + LETTER), fill=255)
    else:
        draw.text((TILE / 2, TILE / 2), name, 255, _font(LETTER), anchor="mm", stroke_width=weight)
    return tile


def _add_initials(tile: Image.Image, generator: np.random.Generator) -> None:
    text = "".join(generator.choice(list(INITIALS), generator.integers(1, 4)))
    beside = happens(generator, 0.5)
    place = (TILE * 0.76, TILE * 0.6) if beside else (TILE / 2, TILE * 0.88)
    ImageDraw.Draw(tile).text(place, text, 255, _font(LETTER * 4 // 10), anchor="mm", stroke_width=1)


def _plate(letter: Image.Image, kind: str, generator: np.random.Generator) -> Image.Image:
    """What the letter lies on: mostly nothing, else a rectangle, a disc, or only their rims."""
    plate = Image.new("L", letter.size)
    box = letter.getbbox()
    assert box is not None
    margin = int(generator.integers(6, 16))
    around = (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
    draw = ImageDraw.Draw(plate)
    if kind == "rectangle":
        draw.rectangle(around, fill=255)
    elif kind == "disc":
        draw.ellipse(around, fill=255)
    elif kind == "frame":
        draw.rectangle(around, outline=255, width=5)
    elif kind == "ring":
        draw.ellipse(around, outline=255, width=5)
    return plate


def _turned(lead: _Lead, generator: np.random.Generator) -> _Lead:
    """Cut to what is drawn, turned as it fell on the plate, at times seen from behind, a little out of focus."""
    angle = float(generator.choice([0, 0, 0, 90, 180, 270, generator.uniform(0, 360)]) + generator.normal(0, 6))
    mirrored = happens(generator, 0.15)
    blur = generator.uniform(0, 2.5)
    layers = []
    for layer in (lead.letter, lead.plate):
        seen = layer.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else layer
        layers.append(seen.filter(ImageFilter.GaussianBlur(blur)).rotate(angle, Image.Resampling.BILINEAR, expand=True))
    box = Image.fromarray(np.maximum(*(np.asarray(layer) for layer in layers))).getbbox()
    return _Lead(layers[0].crop(box), layers[1].crop(box), lead.brightness, lead.hides)


def _corner(generator: np.random.Generator, extent: tuple[float, float]) -> tuple[float, float]:
    """Left and top edge, in picture widths, of a marker of this width and height."""
    room = 1 - np.asarray(extent)
    near = np.minimum(generator.uniform(0.005, 0.08, 2), room)
    place = np.where(generator.integers(2, size=2), near, room - near)
    elsewhere = generator.uniform(0, room)
    where = pick(generator, PLACES)
    left = elsewhere[0] if where == "anywhere" else place[0]
    top = place[1] if where == "corner" else elsewhere[1]
    return float(left), float(top)


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
