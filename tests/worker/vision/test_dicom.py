import io
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from tests.dicoms import BIRTH, KNEE_16, NAME, PATIENT, dicom, header, packed, rle, written
from worker.vision.dicom import is_dicom, read_dicom
from worker.vision.pictures import ImageError, decode

GREY = np.random.default_rng(0).integers(0, 256, (9, 14), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (9, 14, 3), dtype=np.uint8)
# Colours that change slowly, so that a lossy code keeps them nearly.
SMOOTH = np.indices((16, 16)).transpose(1, 2, 0)[..., [0, 1, 1]].astype(np.uint8) * 12 + np.uint8([60, 0, 30])


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as every caller does
        yield


def kept(data: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(read_dicom(data, 10_000).png)))


def refusal(data: bytes) -> str:
    with pytest.raises(ImageError) as refused:
        read_dicom(data, 10_000)
    for secret in (NAME, "SECRETIVE", BIRTH, PATIENT):
        assert secret not in str(refused.value)
    return str(refused.value)


def test_eight_bits_stay_as_they_are() -> None:
    assert (kept(dicom(GREY)) == GREY).all()
    assert (kept(dicom(GREY, RescaleSlope=1, RescaleIntercept=0)) == GREY).all()
    assert (kept(written(header(GREY, ImplicitVRLittleEndian))) == GREY).all()


def test_more_bits_are_stretched_over_all_sixteen_and_keep_their_order() -> None:
    found = kept(dicom(KNEE_16 + np.uint16(7)))
    assert found.dtype == np.uint16
    assert (found == np.rint(KNEE_16 / 4080 * 65535)).all()
    assert (kept(dicom(np.full((4, 4), 9, np.uint16))) == 0).all()


def test_bits_above_those_stored_are_not_of_the_picture() -> None:
    assert (kept(dicom(KNEE_16 | np.uint16(0x8000))) == kept(dicom(KNEE_16))).all()


def test_the_model_sees_the_upper_byte_of_what_is_kept() -> None:
    seen = np.asarray(decode(read_dicom(dicom(KNEE_16), 10_000).png, 10_000))
    assert (seen.min(), seen.max(), len(np.unique(seen))) == (0, 255, 256)


def test_monochrome1_is_inverted() -> None:
    assert (kept(dicom(GREY, PhotometricInterpretation="MONOCHROME1")) == 255 - GREY).all()
    deep = kept(dicom(KNEE_16, PhotometricInterpretation="MONOCHROME1"))
    assert (deep == 65535 - kept(dicom(KNEE_16)).astype(int)).all()


def windowed(value: float, centre: float, width: float, function: str) -> float:
    """Word by word from the standard, PS3.3 C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2, with outputs from 0 to 1."""
    if function == "SIGMOID":
        return float(1 / (1 + np.exp(-4 * (value - centre) / width)))
    if function == "LINEAR_EXACT":
        low, high, share = centre - width / 2, centre + width / 2, (value - centre) / width + 0.5
    else:
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
        share = (value - (centre - 0.5)) / (width - 1) + 0.5 if width > 1 else float("nan")
    return 0.0 if value <= low else 1.0 if value > high else share


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(40.0, 400.0), (-500.0, 1500.0), (300.5, 1.0)])
def test_the_window_lies_on_rescaled_values(function: str, centre: float, width: float) -> None:
    fields = {"RescaleSlope": 2, "RescaleIntercept": -1024, "VOILUTFunction": function}
    found = kept(dicom(KNEE_16, WindowCenter=[centre, 9], WindowWidth=[width, 9], **fields))
    wanted = [[windowed(2.0 * value - 1024, centre, width, function) for value in row] for row in KNEE_16.tolist()]
    assert np.abs(found - np.rint(65535 * np.array(wanted))).max() <= 1


CT = {"PixelRepresentation": 1, "RescaleSlope": 2, "RescaleIntercept": -24}
AIR_TO_BONE = (np.arange(256, dtype=np.int16) * 11 - 1000).reshape(16, 16)


def test_signed_values_are_stretched_from_the_lowest_to_the_highest() -> None:
    for bits in (12, 16):
        found = kept(dicom(AIR_TO_BONE, BitsStored=bits, **CT))
        assert (found == np.rint((AIR_TO_BONE + 1000.0) / 2805 * 65535)).all()
    eight = np.arange(-128, 128, dtype=np.int8).reshape(16, 16)
    assert (kept(dicom(eight, PixelRepresentation=1)) == eight.astype(int) + 128).all()


def test_signed_bits_above_those_stored_are_not_of_the_picture() -> None:
    overlaid = (AIR_TO_BONE & np.int16(0x0FFF)) | np.int16(0x1000)
    assert (kept(dicom(overlaid, **CT)) == kept(dicom(AIR_TO_BONE, **CT))).all()


@pytest.mark.parametrize(("centre", "width"), [(40.0, 400.0), (-600.0, 1500.0)])
def test_the_window_of_a_ct_lies_on_its_hounsfield_units(centre: float, width: float) -> None:
    units = 2.0 * AIR_TO_BONE - 24
    wanted = [[windowed(value, centre, width, "LINEAR") for value in row] for row in units.tolist()]
    for pack in (dicom, rle):
        found = kept(pack(AIR_TO_BONE, WindowCenter=centre, WindowWidth=width, **CT))
        assert np.abs(found - np.rint(65535 * np.array(wanted))).max() <= 1
    negative = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": centre, "WindowWidth": width}
    inverted = kept(dicom(AIR_TO_BONE, **negative, **CT))
    assert np.abs(inverted.astype(int) - (65535 - found.astype(int))).max() <= 1


@pytest.mark.parametrize("says_so", [True, False])
def test_signed_jpeg_2000_is_read_whether_or_not_its_stream_says_that_it_is_signed(says_so: bool) -> None:
    held = io.BytesIO()
    Image.fromarray(AIR_TO_BONE.view(np.uint16)).save(held, "JPEG2000", no_jp2=True, irreversible=False, signed=says_so)
    data = packed(held.getvalue(), AIR_TO_BONE, JPEG2000Lossless, BitsStored=16, **CT)
    assert (kept(data) == kept(dicom(AIR_TO_BONE, BitsStored=16, **CT))).all()


def test_colours_come_in_any_order() -> None:
    assert (kept(dicom(COLOUR)) == COLOUR).all()
    made = header(COLOUR, PlanarConfiguration=1)
    made.PixelData = COLOUR.transpose(2, 0, 1).tobytes()
    assert (kept(written(made)) == COLOUR).all()


def test_luminance_and_chrominance_become_colours() -> None:
    ybr = np.asarray(Image.fromarray(SMOOTH).convert("YCbCr"))
    whole = kept(dicom(ybr, PhotometricInterpretation="YBR_FULL"))
    assert np.abs(whole - SMOOTH.astype(int)).max() <= 3
    halved = header(ybr, PhotometricInterpretation="YBR_FULL_422")
    pairs = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], axis=-1)
    halved.PixelData = pairs.tobytes()
    assert np.abs(kept(written(halved)) - SMOOTH.astype(int)).max() <= 25


@pytest.mark.parametrize("values", [GREY, KNEE_16, COLOUR, np.zeros((40, 50), np.uint8)])
def test_run_lengths_are_unpacked(values: NDArray[Any]) -> None:
    assert (kept(rle(values)) == kept(dicom(values))).all()


def compressed(values: NDArray[Any], kind: str, **options: Any) -> bytes:
    held = io.BytesIO()
    Image.fromarray(values).save(held, kind, **options)
    return held.getvalue()


@pytest.mark.parametrize("values", [GREY, COLOUR, KNEE_16 * np.uint16(16)])
def test_jpeg_2000_is_read(values: NDArray[Any]) -> None:
    frame = compressed(values, "JPEG2000", irreversible=False, no_jp2=True)
    fields = {"PhotometricInterpretation": "YBR_RCT"} if values.ndim == 3 else {}
    if values.itemsize == 2:
        fields |= {"BitsStored": 16, "HighBit": 15}
    found = kept(packed(frame, values, JPEG2000Lossless, **fields))
    assert (found == (values if values.itemsize == 1 else kept(dicom(values, **fields)))).all()


def test_jpeg_is_read_with_its_colours_as_they_were_coded() -> None:
    grey = SMOOTH[..., 0]
    found = kept(packed(compressed(grey, "JPEG", quality=95), grey, JPEGBaseline8Bit))
    assert np.abs(found - grey.astype(int)).max() <= 6
    turned = compressed(SMOOTH, "JPEG", quality=95, subsampling=0)
    plain = compressed(SMOOTH, "JPEG", quality=95, subsampling=0, keep_rgb=True)
    # As scanners write it: without Adobe's note, and with numbers for the names of the channels.
    nameless = plain.replace(plain[plain.index(b"\xff\xee") :][:16], b"") if b"\xff\xee" in plain else plain
    numbered = nameless.replace(b"\x03R\x11\0G\x11\0B\x11", b"\x03\1\x11\0\2\x11\0\3\x11")
    numbered = numbered.replace(b"\xff\xda\0\x0c\x03R\0G\0B", b"\xff\xda\0\x0c\x03\1\0\2\0\3")
    assert len({plain, numbered, turned}) == 3
    for frame, photometric in ((turned, "YBR_FULL_422"), (plain, "RGB"), (numbered, "RGB")):
        found = kept(packed(frame, SMOOTH, JPEGBaseline8Bit, PhotometricInterpretation=photometric))
        assert np.abs(found - SMOOTH.astype(int)).max() <= 12


def test_the_header_says_who_it_is_and_whether_there_is_text_in_the_picture_but_no_more() -> None:
    mine, again, other = (
        read_dicom(dicom(GREY, patient=who, BurnedInAnnotation=said), 10_000)
        for who, said in (("a", "YES"), ("a ", "NO"), ("b", ""))
    )
    assert [each.burned_in for each in (mine, again, other)] == [True, False, False]
    assert mine.patient == again.patient != other.patient
    assert read_dicom(dicom(GREY, patient=""), 10_000).patient is None
    assert (mine.png, b"SECRETIVE" in mine.png) == (other.png, False)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (dicom(GREY, NumberOfFrames=3), "with 3 pictures"),
        (dicom(COLOUR, PixelRepresentation=1), "not as its header says"),
        (packed(compressed(GREY, "JPEG"), GREY, JPEGBaseline8Bit, PixelRepresentation=1), "not as its header says"),
        (dicom(GREY, Rows=60_000, Columns=60_000), "60000 x 60000 pixels; at most 10,000"),
        (dicom(np.zeros((4, 4), np.uint32), BitsStored=32), "32 bits a value"),
        (dicom(COLOUR.astype(np.uint16)), "16 bits a value"),
        (dicom(GREY, PhotometricInterpretation="PALETTE COLOR"), "colours are coded"),
        (dicom(GREY)[:-1], "damaged or cut short"),
        (dicom(GREY)[:-200], "without a picture"),
        (dicom(GREY)[:150], "cut short"),
        (rle(GREY)[:-90], "DICOM file"),
        (packed(bytes(64), GREY, RLELossless), "not as its header says"),
        (packed(b"no picture", GREY, JPEG2000Lossless), "damaged or cut short"),
        (packed(b"x", GREY, JPEGLSLossless), "JPEG-LS Lossless Image Compression, which is not read here; export it"),
        (packed(compressed(np.zeros((99, 99), np.uint8), "JPEG"), GREY, JPEGBaseline8Bit), "not as its header says"),
        (dicom(GREY, RescaleSlope="1e308", RescaleIntercept="1e308"), "header is damaged"),
    ],
)
def test_what_is_not_read_says_why(data: bytes, words: str) -> None:
    assert words in refusal(data)


@pytest.mark.parametrize("allowed", [False, True], ids=["by_default", "allowed_by_another_library"])
def test_a_cut_picture_inside_is_refused(monkeypatch: pytest.MonkeyPatch, allowed: bool) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", allowed)
    grey = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    frame = compressed(grey, "JPEG")
    assert "damaged or cut short" in refusal(packed(frame[: len(frame) * 2 // 3], grey, JPEGBaseline8Bit))


def test_a_file_without_pixels_or_with_a_name_where_numbers_belong_says_no_more_than_that() -> None:
    empty = header(GREY)
    del empty.PixelData
    assert "without a picture" in refusal(written(empty))
    # Readers of damaged files repeat what they found: here it is the name.
    named = dicom(GREY, RescaleSlope="1.2500000000001").replace(b"1.2500000000001 ", b"SECRETIVE^JOHN  ")
    assert "damaged" in refusal(named)


def tag(group: int, element: int, length: int) -> bytes:
    return group.to_bytes(2, "little") + element.to_bytes(2, "little") + length.to_bytes(4, "little")


@lru_cache
def hostile() -> dict[str, bytes]:
    """Small or middling files that a careless reader turns into gigabytes, hours or a broken stack."""
    implicit = written(header(GREY, ImplicitVRLittleEndian))
    at = implicit.index(tag(0x0028, 0x0002, 2))
    before, after = implicit[:at], implicit[at:]
    item, endless = tag(0xFFFE, 0xE000, 0), 0xFFFFFFFF
    deflated = header(GREY)
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    bomb = written(deflated)
    squeezer = zlib.compressobj(wbits=-15)
    bomb = bomb[: bomb.index(b"1.2.840.10008.1.2.1.99") + 22] + squeezer.compress(bytes(2**27)) + squeezer.flush()
    runs = np.array([1, 64, *[0] * 14], "<u4").tobytes() + b"\x81\x07" * 2**22  # 2^29 bytes unpacked
    return {
        "empty items": before + tag(0x0008, 0x1140, endless) + item * 200_000 + after,
        "empty entries": before + b"".join(tag(0x0027, number, 0) for number in range(65_536)) * 8 + after,
        "deep": before + (tag(0x0008, 0x1140, endless) + tag(0xFFFE, 0xE000, endless)) * 5_000 + after,
        "many windows": before + tag(0x0028, 0x1050, 2**22) + b"1\\" * 2**21 + after,
        "inflated": bomb,
        "runs": packed(runs, GREY, RLELossless),
        "long": before + tag(0x0028, 0x1050, 2**31) + after,
    }


@pytest.mark.parametrize("kind", ["empty items", "empty entries", "deep", "many windows", "inflated", "runs", "long"])
def test_a_hostile_file_takes_little_memory_and_time(kind: str) -> None:
    data = hostile()[kind]
    begun = time.monotonic()
    tracemalloc.start()
    try:
        read_dicom(data, 10_000)
    except ImageError as error:
        assert "SECRETIVE" not in str(error)  # noqa: PT017
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5 * len(data) + 100_000_000
    assert time.monotonic() - begun < 60


def test_a_dicom_file_is_known_by_how_it_starts() -> None:
    assert is_dicom(dicom(GREY))
    assert not is_dicom(b"DICM")
