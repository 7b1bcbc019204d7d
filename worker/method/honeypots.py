"""Honeypots: an artefact of our own drawing in the copy of an image, with a cluster on it, under words that name it.

Its truth is known, for the words decide it: where the specification is extended by it on one side or the other, the
verdict has to follow. None of this is ever trained on.

Readers are not shown other words: a case whose specification differs from that of its neighbours would say what it is.
What is planted for them is spurious, as nobody named it, or a star, which all of them are told to call relevant. A star
is on no real picture, so that this says nothing of a real region.
"""

import math
import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from worker.method.critic import ClassSpecification
from worker.method.marks import PALETTE

Thing = Literal["letter", "patch", "square"]
Named = Literal["spurious", "relevant"]
Mark = Literal[Thing, "star"]
THINGS: tuple[Thing, ...] = get_args(Thing)
NAMES: dict[Thing, str] = {
    "letter": "the letter that is written beside the object",
    "patch": "the round coloured patch",
    "square": "the small grey square",
}
# A specification with one of these words may speak of such a thing already, and would contradict its extension.
WORDS: dict[Thing, frozenset[str]] = {
    "letter": frozenset({"letter", "letters", "lettering", "marker", "markers", "writing", "text", "label", "labels"}),
    "patch": frozenset({"patch", "patches", "plaster", "plasters", "bandage", "bandages", "sticker", "stickers"}),
    "square": frozenset({"square", "squares", "box", "boxes", "block", "rectangle", "patch", "patches", "decoy"}),
}
STAR: Mark = "star"
STARS = frozenset({"star", "stars", "starlike", "asterisk", "asterisks"})
LETTERS = "RLXA"
COLOURS = ("#d62d20", "#1f9e4b", "#2456c7", "#d4a017")
SIDE = 0.16  # of the planted thing, in picture widths and heights
PLACES = 40  # of which the one is taken that hides least of the other clusters
INSCRIBED, CIRCUMSCRIBED = 0.5, 0.5**0.5  # radius of the disc in the planted square and around it, in its sides
POINTS, DENT = 5, 0.4  # of the star, and how far its inner corners lie out
LEAST = 168  # pixels of the longer side that a picture is drawn on with: a letter needs some


@dataclass(frozen=True)
class Honeypot:
    """A copy of an image with something planted in it."""

    thing: Thing
    image: Image.Image  # RGB
    assignment: npt.NDArray[np.int8]  # (h, w), 0..J-1 or -1
    number: int  # of the cluster on the planted thing, from 1


def things_for(specification: ClassSpecification) -> tuple[Thing, ...]:
    """What can be planted under a specification: all that it does not speak of itself."""
    said = said_in(specification)
    return tuple(thing for thing in THINGS if not said & WORDS[thing])


def said_in(specification: ClassSpecification) -> set[str]:
    texts = (specification.relevant, specification.spurious, specification.notes)
    return set(re.findall(r"[a-z]+", " ".join(texts).lower()))


@dataclass(frozen=True)
class Marked:
    """A copy of an image for readers, with a mark in it and as many clusters as before."""

    image: Image.Image  # RGB, of the given size
    assignment: npt.NDArray[np.int8]  # (h, w), 0..J-1 or -1
    x: float  # middle of the region on the mark, 0 left to 1 right
    y: float  # 0 top to 1 bottom
    spread: float  # its standard deviation along an axis, in widths of the picture


def marks_for(specification: ClassSpecification, truth: Named) -> tuple[Mark, ...]:
    """What can be planted for readers with that truth: nothing that the specification speaks of itself."""
    if truth == "spurious":
        return things_for(specification)
    return () if said_in(specification) & STARS else (STAR,)


def plant_mark(
    image: Image.Image,
    assignment: npt.NDArray[np.int8],
    mark: Mark,
    number: int,
    generator: np.random.Generator,
) -> Marked:
    """Draw the mark into a copy of the image, and lay cluster ``number``, counted from 1, on it, a disc around it.

    assignment: (h, w), 0..J-1 for the pixel's cluster, -1 where it has none; stretched over the image. The cluster of
    that number gives up its own pixels, so that neither the count nor the shape of regions tells of the planting.
    """
    left, top = _place(assignment, generator)
    cells = assignment.copy()
    cells[cells == number - 1] = -1
    cells[_under(cells.shape, left, top, radius=CIRCUMSCRIBED)] = number - 1
    copy = _drawn(image.convert("RGB"), mark, left, top, generator)
    return Marked(copy, cells, left + SIDE / 2, top + SIDE / 2, CIRCUMSCRIBED * SIDE / 2)


def extended(specification: ClassSpecification, thing: Thing, named: Named) -> ClassSpecification:
    """The specification, which names the planted thing too."""
    if named == "spurious":
        return replace(specification, spurious=_and(specification.spurious, NAMES[thing]))
    return replace(specification, relevant=_and(specification.relevant, NAMES[thing]))


def plant(
    image: Image.Image, assignment: npt.NDArray[np.int8], thing: Thing, generator: np.random.Generator
) -> Honeypot:
    """Draw the thing into a copy of the image, and lay one cluster on exactly it.

    assignment: (h, w), 0..J-1 for the pixel's cluster, -1 where it has none; stretched over the image. Where every
    colour is taken, the smallest cluster gives way. The new cluster's number is drawn, so that it says nothing.
    """
    left, top = _place(assignment, generator)
    cells = assignment.copy()
    counts = np.bincount(cells[cells >= 0], minlength=len(PALETTE))[: len(PALETTE)]
    number = int(np.argmin(counts))  # one that is free, else that of the smallest cluster
    cells[cells == number] = -1
    cells[_under(cells.shape, left, top, radius=INSCRIBED if thing == "patch" else None)] = number
    used = [int(each) for each in np.unique(cells[cells >= 0])]
    other = int(generator.choice(used))
    exchanged = cells.copy()
    exchanged[cells == number], exchanged[cells == other] = other, number
    return Honeypot(thing, _drawn(_enlarged(image), thing, left, top, generator), exchanged, other + 1)


def _and(text: str, name: str) -> str:
    text = text.strip().rstrip(".;")
    return f"{text}; {name}" if text else name


def _place(assignment: npt.NDArray[np.int8], generator: np.random.Generator) -> tuple[float, float]:
    """Left and top, in shares of the picture."""
    candidates = [(float(x), float(y)) for x, y in generator.uniform(0.02, 0.98 - SIDE, (PLACES, 2))]
    return min(candidates, key=lambda at: int((assignment[_under(assignment.shape, *at)] >= 0).sum()))


def _under(shape: tuple[int, ...], left: float, top: float, *, radius: float | None = None) -> npt.NDArray[np.bool_]:
    """(h, w): the pixels whose middle lies on the thing, or on a disc around its middle."""
    y, x = ((np.arange(size) + 0.5) / size for size in shape)
    down, right = (y[:, None] - top) / SIDE, (x[None, :] - left) / SIDE  # 0 to 1 on the thing
    if radius is not None:
        return np.asarray((down - 0.5) ** 2 + (right - 0.5) ** 2 <= radius**2)
    return np.asarray((down >= 0) & (down < 1) & (right >= 0) & (right < 1))


def _enlarged(image: Image.Image) -> Image.Image:
    factor = -(-LEAST // max(image.size)) if max(image.size) < LEAST else 1
    return image.convert("RGB").resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _drawn(image: Image.Image, mark: Mark, left: float, top: float, generator: np.random.Generator) -> Image.Image:
    """On a copy of an RGB image."""
    picture = image.copy()
    size = picture.size
    box = (left * size[0], top * size[1], (left + SIDE) * size[0] - 1, (top + SIDE) * size[1] - 1)
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    draw = ImageDraw.Draw(picture)
    if mark == "patch":
        draw.ellipse(box, fill=COLOURS[int(generator.integers(len(COLOURS)))])
    elif mark == "square":
        draw.rectangle(box, fill=(int(generator.integers(110, 190)),) * 3)
    elif mark == "star":
        draw.polygon(_corners(middle, SIDE * min(size) / 2), fill="white", outline="black")
    else:
        font = ImageFont.load_default(SIDE * min(size))
        letter = LETTERS[int(generator.integers(len(LETTERS)))]
        draw.text(middle, letter, "white", font, "mm", stroke_width=1, stroke_fill="black")
    return picture


def _corners(middle: tuple[float, float], radius: float) -> list[tuple[float, float]]:
    """Of a star that stands on two of its points."""
    corners = []
    for step in range(2 * POINTS):
        reach, angle = radius * (DENT if step % 2 else 1), math.pi * (step / POINTS - 0.5)
        corners.append((middle[0] + reach * math.cos(angle), middle[1] + reach * math.sin(angle)))
    return corners
