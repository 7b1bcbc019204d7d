"""Stage 4, marks: an image with its clusters, as the LVLM and people see them (Set-of-Mark, Yang et al. 2023).

Colours alone are lost on colour-blind readers and numbers alone on small models: every cluster has both.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

OUTSIDE = -1
GROUND = (24, 24, 24)  # of the cluster map, where no cluster is
OPACITY = 0.5


@dataclass(frozen=True)
class Colour:
    name: str
    hex: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        return int(self.hex[1:3], 16), int(self.hex[3:5], 16), int(self.hex[5:7], 16)


# Okabe and Ito's colours, told apart by colour-blind readers. Cluster n has colour n - 1.
PALETTE = (
    Colour("blue", "#0072b2"),
    Colour("orange", "#e69f00"),
    Colour("purple", "#cc79a7"),
    Colour("light blue", "#56b4e9"),
    Colour("green", "#009e73"),
    Colour("yellow", "#f0e442"),
)


@dataclass(frozen=True)
class Marks:
    """Three RGB pictures of one size: the image, its clusters alone, and its clusters laid over it."""

    image: Image.Image
    cluster_map: Image.Image
    overlay: Image.Image
    clusters: tuple[int, ...]  # numbers of the clusters that have at least one pixel, from 1


def draw_marks(image: Image.Image, assignment: npt.NDArray[np.int8], size: int = 336) -> Marks:
    """Draw the clusters of one image.

    image:      of any size and mode; shown in RGB.
    assignment: (h, w), 0..J-1 for the pixel's cluster, -1 where it has none; stretched over the image.
    size:       length in pixels of the longer side of the pictures.
    Raises ValueError where there are more clusters than colours.
    """
    if assignment.max(initial=OUTSIDE) >= len(PALETTE):
        raise ValueError(f"There are colours for {len(PALETTE)} clusters.")
    shape = _fit(image.size, size)
    # A 28 x 28 digit keeps its pixels as squares; photographs are resampled.
    sampling = Image.Resampling.NEAREST if max(image.size) < size // 2 else Image.Resampling.LANCZOS
    plain = image.convert("RGB").resize(shape, sampling)
    numbers = Image.fromarray(assignment.astype(np.int8).view(np.uint8))
    cells = np.asarray(numbers.resize(shape, Image.Resampling.NEAREST)).view(np.int8)
    colours = np.array([colour.rgb for colour in PALETTE] + [GROUND], dtype=np.uint8)
    cluster_map = Image.fromarray(colours[cells])
    inside = Image.fromarray((cells >= 0).astype(np.uint8) * round(255 * OPACITY))
    overlay = Image.composite(cluster_map, plain, inside)
    clusters = tuple(int(number) + 1 for number in np.unique(assignment[assignment >= 0]))
    for picture in (cluster_map, overlay):
        _write_numbers(picture, assignment, clusters)
    return Marks(plain, cluster_map, overlay, clusters)


def number_position(assignment: npt.NDArray[np.int8], cluster: int) -> tuple[float, float]:
    """Where a cluster's number is written, (x, y) in [0, 1]: its own pixel that lies nearest to its median."""
    rows, columns = np.nonzero(assignment == cluster - 1)
    nearest = np.argmin((rows - np.median(rows)) ** 2 + (columns - np.median(columns)) ** 2)
    height, width = assignment.shape
    return float((columns[nearest] + 0.5) / width), float((rows[nearest] + 0.5) / height)


def _fit(shape: tuple[int, int], size: int) -> tuple[int, int]:
    longer = max(shape)
    return max(1, round(shape[0] * size / longer)), max(1, round(shape[1] * size / longer))


def _write_numbers(picture: Image.Image, assignment: npt.NDArray[np.int8], clusters: tuple[int, ...]) -> None:
    draw = ImageDraw.Draw(picture)
    font = _font(max(9, max(picture.size) // 16))
    for cluster in clusters:
        x, y = number_position(assignment, cluster)
        at = (x * picture.width, y * picture.height)
        draw.text(at, str(cluster), fill="white", font=font, anchor="mm", stroke_width=1, stroke_fill="black")


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
