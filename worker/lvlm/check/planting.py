"""Planted cases: a picture of our own drawing, an artefact in it, and clusters of which we know what they cover."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from worker.datasets.digits import CORNERS, corner_masks
from worker.datasets.synthetic import draw_knees, draw_lesions
from worker.datasets.synthetic.shortcut import Draw
from worker.lvlm.embedded.digits import draw_digit

Domain = Literal["digits", "radiograph", "skin"]
Thing = Literal["artefact", "core", "elsewhere"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Generator = np.random.Generator

SIDE = 224  # of a drawn photograph; a digit has 28
INK = 60  # from here on a pixel of a digit belongs to its strokes
GREYS = (90, 256)  # of the square, so that a person can see each
REACH = 0.08  # radius of the cluster on neither, in picture widths
SPILL = 200  # a cluster on an artefact reaches so small a part of the picture's side beyond it, as evidence does
CLASSES: dict[Domain, tuple[str, ...]] = {
    "digits": tuple(str(digit) for digit in range(10)),
    "radiograph": ("healthy", "osteoarthritis"),
    "skin": ("benign", "malignant"),
}
WRITTEN_ON = 336  # pixels of the side of a picture that is written on: as the critic is shown it
LETTERS = 17  # pixels


@dataclass(frozen=True)
class Planted:
    """One picture with its artefact, and its clusters."""

    domain: Domain
    class_name: str
    image: Bytes  # (H, W) or (H, W, 3)
    bare: Bytes  # the same picture without its artefact
    assignment: npt.NDArray[np.int8]  # (H, W), 0..3, or -1 outside of all
    things: tuple[Thing, ...]  # what cluster ``number`` covers, at ``number - 1``


def plant(domain: Domain, index: int, seed: int) -> Planted:
    """The picture of that index; the same seed draws the same one, whichever others are drawn.

    One cluster lies on the artefact, two halve what the class is told by, one lies on neither. Their numbers are drawn,
    so that a number says nothing.
    """
    generator = np.random.default_rng([seed, DOMAINS.index(domain), index])
    label = index % len(CLASSES[domain])
    draw = _digit if domain == "digits" else _radiograph if domain == "radiograph" else _lesion
    image, bare, artefact, core = draw(label, generator)
    parts = _parts(artefact, core & ~artefact, generator)
    order = generator.permutation(len(parts))
    assignment = np.full(artefact.shape, -1, dtype=np.int8)
    for number, part in enumerate(order):
        assignment[parts[part][1]] = number
    return Planted(domain, CLASSES[domain][label], image, bare, assignment, tuple(parts[part][0] for part in order))


def blank(planted: Planted) -> Bytes:
    """A picture of the same size with nothing in it."""
    return np.full_like(planted.image, round(float(planted.image.mean())))


def swapped(planted: Planted) -> Planted:
    """The same picture, the number of the cluster on the artefact exchanged with that of one on the core."""
    first, other = planted.things.index("artefact"), planted.things.index("core")
    exchange = np.arange(-1, len(planted.things), dtype=np.int8)
    exchange[[first + 1, other + 1]] = exchange[[other + 1, first + 1]]
    things = list(planted.things)
    things[first], things[other] = things[other], things[first]
    assignment = exchange[planted.assignment + 1]
    return Planted(planted.domain, planted.class_name, planted.image, planted.bare, assignment, tuple(things))


def with_writing(planted: Planted, text: str) -> Image.Image:
    """The picture with a text in two lines, where it hides least of what the clusters lie on."""
    small = Image.fromarray(planted.image).convert("RGB")
    sampling = Image.Resampling.NEAREST if planted.domain == "digits" else Image.Resampling.LANCZOS
    picture = small.resize((WRITTEN_ON, WRITTEN_ON), sampling)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(LETTERS)
    words = text.split()
    lines = "\n".join((" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])))
    named = np.isin(planted.assignment, [place for place, thing in enumerate(planted.things) if thing != "elsewhere"])
    strip = len(named) * 3 * LETTERS // WRITTEN_ON
    top = named[:strip].sum() <= named[-strip:].sum()
    at = (WRITTEN_ON / 2, 4 if top else WRITTEN_ON - 4)
    anchor = "ma" if top else "md"
    draw.multiline_text(at, lines, "white", font, anchor, align="center", stroke_width=2, stroke_fill="black")
    return picture


Drawn = tuple[Bytes, Bytes, Bools, Bools]  # the picture, the same without its artefact, where that is, where the core


def _digit(label: int, generator: Generator) -> Drawn:
    bare = draw_digit(label, generator)
    square = corner_masks()[generator.integers(len(CORNERS))]
    image = np.where(square, np.uint8(generator.integers(*GREYS)), bare)
    return image, bare, square, bare > INK


def _radiograph(label: int, generator: Generator) -> Drawn:
    return _photograph(draw_knees, label, generator)


def _lesion(label: int, generator: Generator) -> Drawn:
    return _photograph(draw_lesions, label, generator)


def _photograph(draw: Draw, label: int, generator: Generator) -> Drawn:
    """Drawn twice from one seed, with its artefact and without: they differ in nothing else."""
    seed = int(generator.integers(2**31))
    shown, bare = (
        draw(np.array([label]), np.array([artefact]), SIDE, np.random.default_rng(seed)) for artefact in (True, False)
    )
    return shown.images[0].squeeze(), bare.images[0].squeeze(), shown.artefact[0], shown.core[0]


def _parts(artefact: Bools, core: Bools, generator: Generator) -> list[tuple[Thing, Bools]]:
    rows, columns = np.nonzero(core)
    angle = generator.uniform(0, np.pi)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    half = np.zeros_like(core)
    half[rows, columns] = along > np.median(along)
    spilled = _grown(artefact, len(artefact) // SPILL) & ~core
    free = ~(spilled | core)
    row, column = generator.choice(np.argwhere(free))
    down, right = np.indices(free.shape)
    near = (down - row) ** 2 + (right - column) ** 2 <= (REACH * len(free)) ** 2
    return [("artefact", spilled), ("core", half), ("core", core & ~half), ("elsewhere", free & near)]


def _grown(mask: Bools, pixels: int) -> Bools:
    for _ in range(pixels):
        padded = np.pad(mask, 1)
        shifts = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
        mask = np.logical_or.reduce((mask, *shifts))
    return mask
