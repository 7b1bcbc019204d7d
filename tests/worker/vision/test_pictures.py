import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from worker.vision.pictures import ImageError, load_image, to_8_bit


def stored(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_a_picture_comes_back_as_it_was_stored() -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    assert (np.asarray(load_image(stored(Image.fromarray(pixels)))) == pixels).all()


def test_a_photograph_is_turned_as_its_note_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load_image(stored(Image.new("L", (4, 2)), "JPEG", exif=exif)).size == (2, 4)


def test_sixteen_bit_greys_keep_their_contrast() -> None:
    pixels = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    assert np.asarray(load_image(stored(Image.fromarray(pixels)))).tolist() == [[0, 1, 128, 255]]


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_other_formats_are_refused(form: str) -> None:
    with pytest.raises(ImageError, match="not a PNG or JPEG"):
        load_image(stored(Image.new("L", (16, 16)), form))


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("allowed", [False, True], ids=["by_default", "allowed_by_another_library"])
def test_a_cut_picture_is_refused(monkeypatch: pytest.MonkeyPatch, form: str, allowed: bool) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", allowed)
    data = stored(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)), form)
    with pytest.raises(ImageError, match="cut short"):
        load_image(data[: len(data) * 2 // 3])


def test_too_many_pixels_are_refused_before_decoding() -> None:
    with pytest.raises(ImageError, match="30 x 40 pixels; at most 1,000"):
        load_image(stored(Image.new("L", (30, 40))), max_pixels=1000)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_a_picture_that_claims_a_million_by_a_million_pixels_is_refused() -> None:
    header = struct.pack(">IIBBBBB", 10**6, 10**6, 8, 0, 0, 0, 0)
    with pytest.raises(ImageError, match="pixels"):
        load_image(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def test_a_damaged_note_does_not_spoil_a_sound_picture() -> None:
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff" + bytes(40)
    assert load_image(stored(Image.new("L", (4, 2)), "JPEG", exif=exif)).size == (4, 2)


def test_thirty_two_bit_pictures_are_refused() -> None:
    with pytest.raises(ImageError, match="32 bits"):
        to_8_bit(Image.new("F", (2, 2)))
