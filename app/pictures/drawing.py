"""Pictures of images and their clusters for people, drawn with Pillow and numpy: the web server never loads torch."""

from functools import lru_cache
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont, ImageOps

from app.config import settings

# Okabe and Ito's colours, told apart by colour-blind readers; cluster n has colour n - 1, here as in the style sheet.
PALETTE = ((0, 114, 178), (230, 159, 0), (204, 121, 167), (86, 180, 233), (0, 158, 115), (240, 228, 66))
GROUND = (16, 18, 20)
FILL = 120  # of 255: how much of the picture a cluster hides
WHOLE = 255
SIDE = 480  # pixels of the longer side of a case's picture, unless another size is asked for

Cells = npt.NDArray[np.uint8]  # (height, width): 0 no cluster, j cluster number j


def turned(data: bytes) -> Picture.Image:
    """The picture as it is stored, turned as its camera held it."""
    Picture.MAX_IMAGE_PIXELS = settings().max_image_pixels
    return ImageOps.exif_transpose(Picture.open(BytesIO(data)))


def opened(data: bytes) -> Picture.Image:
    """The picture in RGB, turned as its camera held it, 16-bit grey brought to 8."""
    picture = turned(data)
    if picture.mode.startswith(("I", "F")):
        values = np.asarray(picture, dtype=np.float64)
        spread = max(values.max() - values.min(), 1e-9)
        picture = Picture.fromarray((255 * (values - values.min()) / spread).astype(np.uint8))
    return picture.convert("RGB")


def as_png(picture: Picture.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def fitted(picture: Picture.Image, size: int) -> Picture.Image:
    """With its longer side ``size`` pixels long; a 28 x 28 digit keeps its pixels as squares."""
    sampling = Picture.Resampling.NEAREST if max(picture.size) < size // 2 else Picture.Resampling.LANCZOS
    return picture.resize(frame(picture, size), sampling)


def squares(shape: tuple[int, int]) -> int:
    """How many times each pixel of a small picture is repeated, along either side, so that it stays a square when a
    reader's picture (SIDE pixels) is made of it; doing it twice is doing it once.
    """
    return max(1, (SIDE // 2 - 1) // max(shape))


def frame(picture: Picture.Image, size: int) -> tuple[int, int]:
    longer = max(picture.size)
    return max(1, round(picture.width * size / longer)), max(1, round(picture.height * size / longer))


def cells_of(assignment: bytes, shape: tuple[int, int]) -> Cells:
    """The assignment, stretched over a picture of that width and height."""
    return np.asarray(Picture.open(BytesIO(assignment)).convert("L").resize(shape, Picture.Resampling.NEAREST))


def cluster_map(cells: Cells) -> Picture.Image:
    colours = np.array([GROUND, *PALETTE], dtype=np.uint8)
    picture = Picture.fromarray(colours[np.minimum(cells, len(PALETTE))])
    write_numbers(picture, cells)
    return picture


def layer(cells: Cells) -> Picture.Image:
    """The clusters on a clear ground: half-clear inside, with a whole line around each, and their numbers."""
    colours = np.array([(0, 0, 0), *PALETTE], dtype=np.uint8)[np.minimum(cells, len(PALETTE))]
    opacity = np.where(cells > 0, np.where(edges(cells), WHOLE, FILL), 0).astype(np.uint8)
    picture = Picture.fromarray(np.dstack([colours, opacity]))
    write_numbers(picture, cells)
    return picture


def overlay(picture: Picture.Image, cells: Cells) -> Picture.Image:
    return Picture.alpha_composite(picture.convert("RGBA"), layer(cells)).convert("RGB")


def edges(cells: Cells) -> npt.NDArray[np.bool_]:
    """Pixels within two of another cluster or of none."""
    found = np.zeros(cells.shape, dtype=bool)
    for step in (1, 2):
        found[step:] |= cells[step:] != cells[:-step]
        found[:-step] |= cells[:-step] != cells[step:]
        found[:, step:] |= cells[:, step:] != cells[:, :-step]
        found[:, :-step] |= cells[:, :-step] != cells[:, step:]
    return found


def write_numbers(picture: Picture.Image, cells: Cells) -> None:
    """Each cluster's number on a dark disc, on the cluster's own pixel that lies nearest to its median."""
    radius = max(6, max(picture.size) // 32)
    pen = ImageDraw.Draw(picture)
    for number in np.unique(cells[cells > 0]):
        rows, columns = np.nonzero(cells == number)
        nearest = np.argmin((rows - np.median(rows)) ** 2 + (columns - np.median(columns)) ** 2)
        x, y = float(columns[nearest]), float(rows[nearest])
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=GROUND)
        pen.text((x, y), str(number), fill="white", font=font(round(1.4 * radius)), anchor="mm")


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
