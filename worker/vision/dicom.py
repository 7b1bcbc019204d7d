"""DICOM files that anybody may have made, as PNGs that hold the picture and nothing else of them.

pydicom reads the header, on a short leash; what is compressed is decoded by Pillow, which never makes more pixels than
it was told to. No value of a header is in a message, a warning or a log: any of them may name the patient.
"""

import io
import logging
import secrets
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from pydicom import uid
from pydicom.pixels.utils import pixel_array

from app.languages.messages import Message
from worker.vision.pictures import ImageError, load_whole, refuse_too_many_pixels

MAGIC_AT, MAGIC = 128, b"DICM"
START = MAGIC_AT + len(MAGIC)
SUFFIXES = (".dcm", ".dicom")
NATIVE = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian)
BY_PILLOW = (uid.JPEGBaseline8Bit, uid.JPEG2000Lossless, uid.JPEG2000)
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
# Nothing else of a header is kept in memory.
TAGS: list[Any] = [
    "BitsAllocated",
    "BitsStored",
    "BurnedInAnnotation",
    "Columns",
    "NumberOfFrames",
    "PatientID",
    "PhotometricInterpretation",
    "PixelData",
    "PixelRepresentation",
    "PlanarConfiguration",
    "RescaleIntercept",
    "RescaleSlope",
    "Rows",
    "SamplesPerPixel",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
]
MOST_READS = 30_000  # three for an entry: far more than the header of one picture needs
LONGEST_ENTRY = 1 << 20  # bytes; only the pixels are longer
LONGEST_VALUE = 1 << 10  # bytes, of one that is used
SIGN = 42, 0x80  # in a JPEG 2000 code stream: the byte that says how a value is coded, and its bit (ISO 15444-1 A.5.1)
PIXELS, ITEM = b"\xe0\x7f\x10\x00", b"\xfe\xff\x00\xe0"  # tags, as they stand in the file
RLE_HEADER = 64  # bytes
Values = npt.NDArray[np.uint8 | np.uint16]
SALT = secrets.token_bytes(32)  # of this process, never stored

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").disabled = True


@dataclass(frozen=True)
class Dicom:
    png: bytes  # 8 bits a value, 16 of grey where the file has more than 8
    burned_in: bool  # its header says that text is written into the picture
    patient: str | None  # stands for its PatientID within this process, and can't be turned back


class _Leash(io.BytesIO):
    """Keeps a small file from growing large in memory: a million empty entries, a text that is split a million times,
    or the kind that pydicom inflates whole, for which alone it reads to the end.
    """

    reads = 0
    at_pixels = False

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if size is None or size < 0:
            raise ImageError(unsupported(uid.DeflatedExplicitVRLittleEndian))
        if self.reads > MOST_READS or (size > LONGEST_ENTRY and not self.at_pixels):
            raise ImageError(
                Message("It is a DICOM file with too long a header, or cut short; export it anew, or as PNG.")
            )
        found = super().read(size)
        self.at_pixels |= found.startswith(PIXELS)
        return found


def is_dicom(start: bytes) -> bool:
    """By the first START bytes of a file, or more."""
    return start[MAGIC_AT:START] == MAGIC


def read_dicom(data: bytes, max_pixels: int) -> Dicom:
    """One grey or coloured picture as a person is to see it: rescaled, in the file's own window, black as black.

    Without a window more than 8 bits are stretched from the darkest to the brightest value; lookup tables are not
    applied. Callers silence warnings. Raises ImageError.
    """
    try:
        header = pydicom.dcmread(_Leash(data), force=False, specific_tags=TAGS)
        _refuse(header, max_pixels)
        held = io.BytesIO()
        _picture(header).save(held, "PNG")
        named = header.get_item("PatientID")
        known = bytes(named.value or b"").strip(b" \0") if named else b""
        burned_in = str(header.get("BurnedInAnnotation", "")).strip().upper() == "YES"
    except ImageError:
        raise
    # Damaged bytes raise errors of many kinds, and their texts may hold a part of the header.
    except Exception:  # noqa: BLE001
        raise ImageError(Message("It is a DICOM file that is damaged or cut short.")) from None
    return Dicom(held.getvalue(), burned_in, blake2b(known, key=SALT).hexdigest() if known else None)


def unsupported(syntax: uid.UID) -> Message:
    return Message(
        "It is a DICOM file in the transfer syntax %(syntax)s, which is not read here; "
        "export it uncompressed, or as PNG.",
        syntax=syntax.name,
    )


def _refuse(header: pydicom.Dataset, max_pixels: int) -> None:
    """Everything that is no single picture of a kind that is read here, by the header alone."""
    for element in header.elements():
        if len(element.value or b"") > LONGEST_VALUE and element.tag != pydicom.tag.Tag("PixelData"):
            raise ImageError(Message("It is a DICOM file whose header is damaged."))
    if not header.get_item("PixelData") or not header.get_item("PixelData").value:
        raise ImageError(Message("It is a DICOM file without a picture, or cut short."))
    frames = int(header.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(
            Message(
                "It is a DICOM file with %(frames)s pictures; export those that are meant one by one.", frames=frames
            )
        )
    syntax = header.file_meta.TransferSyntaxUID
    if syntax not in {*NATIVE, *BY_PILLOW, uid.RLELossless}:
        known = uid.UID(syntax) in uid.AllTransferSyntaxes
        raise ImageError(unsupported(syntax) if known else Message("It is a DICOM file in an unknown transfer syntax."))
    refuse_too_many_pixels((header.Columns, header.Rows), max_pixels)
    _refuse_kind(header)


def _refuse_kind(header: pydicom.Dataset) -> None:
    photometric = header.PhotometricInterpretation
    depth, stored, samples = header.BitsAllocated, header.BitsStored, header.SamplesPerPixel
    if (samples, photometric) not in {*((1, grey) for grey in GREY), *((3, colour) for colour in COLOURS)}:
        raise ImageError(
            Message("It is a DICOM file whose colours are coded in a way that is not read here; export it as PNG.")
        )
    if depth not in ({8, 16} if samples == 1 else {8}) or not 0 < stored <= depth:
        raise ImageError(
            Message(
                "It is a DICOM file with %(depth)s bits a value, which is not read here; export it as PNG.", depth=depth
            )
        )
    if is_signed(header) and (samples > 1 or header.file_meta.TransferSyntaxUID == uid.JPEGBaseline8Bit):
        raise ImageError(Message("It is a DICOM file whose picture is not as its header says."))


def is_signed(header: pydicom.Dataset) -> bool:
    """As those of CT are, which lie below 0 where there is air."""
    return bool(header.get("PixelRepresentation", 0))


def _picture(header: pydicom.Dataset) -> Image.Image:
    values = _values(header)
    if values.ndim == 3:  # noqa: PLR2004 - height, width, colour
        return Image.fromarray(values)
    return Image.fromarray(_shades(header, values)[values])


def _values(header: pydicom.Dataset) -> Values:
    """The bits that are stored, as unsigned numbers: (height, width), or (height, width, 3) in RGB."""
    if header.file_meta.TransferSyntaxUID in BY_PILLOW:
        return _by_pillow(header)
    if header.file_meta.TransferSyntaxUID == uid.RLELossless:
        _unpack_runs(header)
    stored = pixel_array(header)
    values: Values = stored.view(f"u{stored.itemsize}") & (2**header.BitsStored - 1)
    return values


def _meant(header: pydicom.Dataset) -> npt.NDArray[np.float64]:
    """What each of the possible stored bits means: below 0 from the half on where values are signed; rescaled."""
    slope, intercept = _number(header, "RescaleSlope", 1), _number(header, "RescaleIntercept", 0)
    bits = np.arange(2**header.BitsStored)
    if is_signed(header):
        bits[len(bits) // 2 :] -= len(bits)
    return bits * slope + intercept


def _shades(header: pydicom.Dataset, values: Values) -> Values:
    """What each stored value looks like, from 0, black, to 255, or to 65,535 where there are more than 8 bits."""
    deep = header.BitsStored > 8  # noqa: PLR2004
    possible = _meant(header)
    if not np.isfinite(possible).all():
        raise ImageError(Message("It is a DICOM file whose header is damaged."))
    used = possible[np.bincount(values.ravel(), minlength=len(possible)) > 0] if deep else possible
    shares = _windowed(header, possible)
    if shares is None:
        shares = (possible - used.min()) / max(float(used.max() - used.min()), np.finfo(float).tiny)
    if header.PhotometricInterpretation == "MONOCHROME1":
        shares = 1 - shares
    kind = np.uint16 if deep else np.uint8
    shades: Values = np.rint(shares.clip(0, 1) * np.iinfo(kind).max).astype(kind)
    return shades


def _windowed(header: pydicom.Dataset, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Shares of white in the first window that the file gives, None where it gives none (PS3.3 C.11.2.1)."""
    centre, width = _number(header, "WindowCenter", np.nan), _number(header, "WindowWidth", np.nan)
    if not (np.isfinite(centre) and width > 0):
        return None
    function = header.get("VOILUTFunction") or "LINEAR"
    if function == "SIGMOID":
        shares: npt.NDArray[np.float64] = 1 / (1 + np.exp((-4 * (values - centre) / width).clip(-700, 700)))
        return shares
    if function == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, np.finfo(float).tiny)
    return (values - centre) / width + 0.5


def _number(header: pydicom.Dataset, name: str, otherwise: float) -> float:
    """The first where there are several, as for windows."""
    value = header.get(name)
    first = value[0] if isinstance(value, pydicom.multival.MultiValue) and value else value
    return otherwise if first in {None, ""} else float(first)


def _by_pillow(header: pydicom.Dataset) -> Values:
    """Raises ImageError where the picture is not as the header says, so that no larger one is ever decoded."""
    picture = Image.open(io.BytesIO(_fragments(header.PixelData)), formats=("JPEG", "JPEG2000"))
    mode = "RGB" if header.SamplesPerPixel > 1 else "L" if header.BitsStored <= 8 else "I;16"  # noqa: PLR2004
    if picture.size != (header.Columns, header.Rows) or picture.mode != mode:
        raise ImageError(Message("It is a DICOM file whose picture is not as its header says."))
    if header.PhotometricInterpretation == "RGB" and isinstance(picture, JpegImageFile) and _is_taken_for_ybr(picture):
        picture.draft("YCbCr", picture.size)  # as they are, then: only the header knows that they are colours
    load_whole(picture)
    values = np.asarray(picture)
    if values.ndim == 3:  # noqa: PLR2004
        return values
    # Pillow spreads fewer bits over all of its 8 or 16, and moves signed values up by a half: the first bit is turned.
    at, bit = SIGN
    turned = 2 ** (header.BitsStored - 1) if is_signed(header) and _fragments(header.PixelData)[at] & bit else 0
    bits: Values = values >> (8 * values.itemsize - header.BitsStored) ^ turned
    return bits


def _is_taken_for_ybr(picture: JpegImageFile) -> bool:
    """What libjpeg assumes where no note and no names of the channels say how the colours are coded."""
    return picture.info.keys().isdisjoint({"jfif", "adobe_transform"}) and picture.layer[0][0] != ord("R")


def _unpack_runs(header: pydicom.Dataset) -> None:
    """RLE as plain values in place (PS3.5 annex G): a plane for each byte of each colour, the high byte first."""
    packed = _fragments(header.PixelData)
    count, *starts = np.frombuffer(packed[:RLE_HEADER], "<u4").tolist()
    pixels, each = header.Rows * header.Columns, header.BitsAllocated // 8
    if count != header.SamplesPerPixel * each:
        raise ImageError(Message("It is a DICOM file whose picture is not as its header says."))
    ends = [*starts[1:count], len(packed)]
    planes = [
        np.asarray(Image.frombytes("L", (pixels, 1), packed[start:end], "packbits", "L"))[0]
        for start, end in zip(starts, ends, strict=False)
    ]
    joined = np.stack(planes).reshape(header.SamplesPerPixel, each, pixels)[:, ::-1]
    header.PixelData = joined.transpose(0, 2, 1).tobytes()
    header.PlanarConfiguration = 1
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian


def _fragments(encapsulated: bytes) -> bytes:
    """The parts of the only picture as one; the first item is a table of where pictures begin (PS3.5 A.4)."""
    parts, at = [], 0
    while encapsulated[at : at + 4] == ITEM:
        length = int.from_bytes(encapsulated[at + 4 : at + 8], "little")
        parts.append(encapsulated[at + 8 : at + 8 + length])
        at += 8 + length
    return b"".join(parts[1:])
