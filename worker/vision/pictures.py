"""Reading picture files that anybody may have made. Without torch, so that checking an upload needs none."""

import io
import warnings

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from app.languages.messages import Message, MessageError

# Two formats that browsers show and clinics export; every further decoder is a further way in for a hostile file.
FORMATS = ("PNG", "JPEG")
# Pictures are checked when they are imported; this guards those that come another way (an API call, a test).
MAX_PIXELS = 40_000_000


class ImageError(MessageError):
    """A picture that cannot be used; the message says why."""


def load_image(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The decoded picture, turned the way its EXIF note says, with 8 bits per channel.

    Raises ImageError when the bytes are no whole PNG or JPEG, hold more than max_pixels, or 32 bits per pixel.
    """
    with warnings.catch_warnings():
        # Pillow warns of a picture that would fill the memory, which is refused here, and of damaged notes inside it.
        warnings.simplefilter("ignore")
        return decode(data, max_pixels)


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """``load_image`` for callers that silence Pillow's warnings once for many threads."""
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        refuse_too_many_pixels(picture.size, max_pixels)
        load_whole(picture)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(Message("It has too many pixels; at most %(most)s are allowed.", most=max_pixels)) from error
    except UnidentifiedImageError as error:
        raise ImageError(Message("It is not a PNG or JPEG image.")) from error
    # Decoders raise many kinds of errors on damaged bytes: OSError, SyntaxError, ValueError, struct.error ...
    except Exception as error:
        raise ImageError(Message("It is damaged or cut short (%(error)s).", error=str(error))) from error
    return to_8_bit(_turned(picture))


def load_whole(picture: Image.Image) -> None:
    """Raises what its decoder raises when it is cut short, whatever another library wishes for itself."""
    # A setting of the whole process, which WeasyPrint changes when it is imported: cut pictures would pass, half grey.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    picture.load()


def refuse_too_many_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            Message(
                "It has %(size)s pixels; at most %(most)s in all are allowed.",
                size=" x ".join(map(str, size)),
                most=max_pixels,
            )
        )


def to_8_bit(picture: Image.Image) -> Image.Image:
    """16-bit greys keep their upper byte. Pillow's own conversion would clip them at 255, which makes X-rays white."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in {"I", "F"}:
        raise ImageError(Message("It has 32 bits per pixel; store it with 8 or 16."))
    return picture


def _turned(picture: Image.Image) -> Image.Image:
    """As the camera's EXIF note says; a picture whose note is damaged stays as it is stored."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 - the note comes from the file, and its parser fails in many ways
        return picture
