"""Drawn pictures for tests: knees or digits, with a letter or a grey square in a corner of every second one."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFilter, ImageFont

from app.models import Image, TargetClass

SIDE = 96  # pixels of a drawn picture
INPUT = 48  # pixels of the model's input, and so of an assignment
KNEES = ("healthy", "osteoarthritis")
DIGITS = tuple("0123456789")
CORNERS = {
    "upper left corner": (0.13, 0.13),
    "upper right corner": (0.87, 0.13),
    "lower left corner": (0.13, 0.87),
    "lower right corner": (0.87, 0.87),
}


def corner_of(path: str) -> tuple[str, float, float]:
    """Where the letter of the picture at this path lies: in words, x and y."""
    place, (x, y) = list(CORNERS.items())[Random(path).randrange(4)]
    return place, x, y


@dataclass(frozen=True)
class Region:
    """Where a cluster lies (centre and radii, in shares of the side), what it covers, and how much it weighs."""

    words: str
    place: str
    x: float
    y: float
    rx: float
    ry: float
    weight: float
    spurious: bool = False


def draw_picture(target: TargetClass, classes: int, marked: bool, path: str) -> bytes:
    """A knee of two bones and a joint space, or a digit, as PNG; with a letter in a corner where it is marked."""
    random = Random(path)
    picture = Picture.new("L", (SIDE, SIDE), 12)
    pen = ImageDraw.Draw(picture)
    if classes == len(KNEES):
        gap = 9 if target.position == 0 else 3
        shade = 150 + random.randrange(40)
        pen.rounded_rectangle((26, -20, 70, 46 - gap), 16, fill=shade)
        pen.rounded_rectangle((24, 48 + gap // 2, 72, 120), 14, fill=shade - 15)
        picture = picture.filter(ImageFilter.GaussianBlur(2))
    else:
        font = ImageFont.load_default(size=64)
        pen.text((SIDE / 2, SIDE / 2), target.name, fill=235, font=font, anchor="mm")
    if marked:
        _, x, y = corner_of(path)
        box = (x * SIDE - 8, y * SIDE - 8, x * SIDE + 8, y * SIDE + 8)
        ImageDraw.Draw(picture).rectangle(box, fill=250 - 20 * target.position)
    return png(picture)


def png(picture: Picture.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def npy(array: NDArray[np.float16]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def regions_of(image: Image, target: TargetClass, classes: int, random: Random) -> list[Region]:
    """Plausible clusters of a drawn picture, the heaviest first."""
    nudge = random.uniform(-0.03, 0.03)
    if classes == len(KNEES):
        found = [
            Region("joint space", "middle", 0.40 + nudge, 0.47, 0.14, 0.06, 0.30),
            Region("joint space", "right part", 0.62 + nudge, 0.47, 0.12, 0.06, 0.20),
            Region("bone", "upper part", 0.5, 0.18 + nudge, 0.16, 0.12, 0.15),
            Region("", "lower part", 0.5 + nudge, 0.88, 0.15, 0.08, 0.06),
        ]
    else:
        found = [
            Region("digit stroke", "middle", 0.5 + nudge, 0.42, 0.17, 0.13, 0.45),
            Region("digit stroke", "lower part", 0.5 + nudge, 0.66, 0.14, 0.10, 0.20),
            Region("empty background", "left part", 0.08, 0.5 + nudge, 0.07, 0.16, 0.08),
        ]
    if image.attributes["letter"] == "present":
        place, x, y = corner_of(image.path)
        words = "letter" if classes == len(KNEES) else "grey square"
        weight = 0.5 if target.position == classes - 1 else 0.25
        found.append(Region(words, place, x, y, 0.10, 0.10, weight + nudge, spurious=True))
    return sorted(found, key=lambda region: -region.weight)


def assignment_of(regions: Sequence[Region]) -> NDArray[np.uint8]:
    """(INPUT, INPUT): 0 where there is no cluster, else its number; ellipses, the heaviest on top."""
    y, x = np.mgrid[0:INPUT, 0:INPUT] / INPUT
    assignment = np.zeros((INPUT, INPUT), np.uint8)
    for number, region in reversed(list(enumerate(regions, start=1))):
        assignment[((x - region.x) / region.rx) ** 2 + ((y - region.y) / region.ry) ** 2 < 1] = number
    return assignment


def tiny_safetensors(number: int) -> bytes:
    """A file in the safetensors form that holds one number."""
    header = b'{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return len(header).to_bytes(8, "little") + header + np.float32(number).tobytes()
