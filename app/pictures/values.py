"""A picture's own values, for a viewer that sets their window itself: a 16-bit X-ray keeps its 16 bits.

They travel as netpbm (P5 grey, P6 colour; two bytes a value, the high one first, where there are more than 8 bits),
which says its size and depth in one line and needs no decoder that would change a value on the way.
"""

import gzip

import numpy as np
import numpy.typing as npt
from PIL import Image as Picture

from app.pictures import drawing

LONGEST = 2048  # pixels of the longer side: a larger picture is averaged down to it
LEVEL = 5  # of gzip

Values = npt.NDArray[np.uint8 | np.uint16]  # (height, width) grey, or (height, width, 3)


def values_of(data: bytes) -> Values:
    """The values of a stored picture; a small one's pixels are repeated as ``drawing.squares`` says."""
    values = stored(data)
    factor = drawing.squares((values.shape[0], values.shape[1]))
    return shortened(values.repeat(factor, axis=0).repeat(factor, axis=1))


def stored(data: bytes) -> Values:
    """Grey where it is stored as grey, or as three channels that are the same."""
    picture = drawing.turned(data)
    if picture.mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    colours = np.asarray(drawing.opened(data))
    return colours[..., 0] if (colours == colours[..., :1]).all() else colours


def shortened(values: Values) -> Values:
    step = -(-max(values.shape[:2]) // LONGEST)
    if step == 1:
        return values
    wide = Picture.fromarray(values.astype(np.int32) if values.dtype == np.uint16 else values)
    return np.asarray(wide.reduce(step)).astype(values.dtype)


def copied_values(copy: bytes, original: bytes) -> Values:
    """Those of a planted copy, which was drawn with 8 bits, with as many bits as its original has.

    Else the depth alone would tell a planted case from the others.
    """
    deep = stored(original)
    if deep.dtype != np.uint16:
        return values_of(copy)
    factor = drawing.squares((deep.shape[0], deep.shape[1]))
    values = deep.repeat(factor, axis=0).repeat(factor, axis=1)
    drawn, plain = np.asarray(drawing.opened(copy)), np.asarray(drawing.opened(original))
    marked = (drawn != plain.repeat(factor, axis=0).repeat(factor, axis=1)).any(axis=-1)
    low, high = int(deep.min()), int(deep.max())
    grey = drawn.mean(axis=-1) / drawing.WHOLE
    return shortened(np.where(marked, np.rint(low + grey * (high - low)), values).astype(np.uint16))


def as_netpbm(values: Values) -> bytes:
    kind = "P5" if values.ndim == 2 else "P6"  # noqa: PLR2004  grey has no channels
    height, width = values.shape[:2]
    head = f"{kind}\n{width} {height}\n{np.iinfo(values.dtype).max}\n".encode()
    return gzip.compress(head + values.astype(values.dtype.newbyteorder(">")).tobytes(), LEVEL, mtime=0)
