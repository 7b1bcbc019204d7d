"""Checking a folder of images. Nothing is stored here; whatever is wrong is told by row before anything is."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from app.languages.messages import Message
from worker.datasets.archives import ArchiveError, unpack
from worker.datasets.rows import (
    LINK,
    Limits,
    Listing,
    Problem,
    Row,
    declared_rows,
    list_folder,
    too_large,
    unreadable,
)
from worker.vision import dicom
from worker.vision.pictures import ImageError, decode

__all__ = ["ArchiveError", "Checked", "CheckedImage", "Limits", "Problem", "Row", "check", "kept", "unpack"]

# Decoding and hashing leave Python's lock, so a few threads help; each may hold one large picture in memory.
THREADS = 4
NO_DICOM = Message("It is no DICOM file, whatever its name says: the letters DICM are missing where it starts.")


@dataclass(frozen=True)
class CheckedImage:
    row: Row
    digest: str  # SHA-256 of what is kept of the file
    width: int  # in pixels, after turning as EXIF says
    height: int
    mask_digest: str | None
    patient: str | None  # as the row says, else what stands for the one in a DICOM header, which is never stored
    is_dicom: bool
    burned_in: bool  # its DICOM header says that text is written into the picture


@dataclass(frozen=True)
class Checked:
    """What a folder holds. The set may be stored when there are no problems."""

    images: list[CheckedImage]  # the rows without a problem, in order
    problems: list[Problem]  # by row
    classes: list[str]  # as given, else the labels in order
    attributes: list[str]
    digest: str  # the same for the same images, labels, splits and attributes in any order


@dataclass(frozen=True)
class Picture:
    """A file that was decoded whole."""

    digest: str
    pixels: str  # SHA-256 of the decoded pixels: equal for a picture that was only stored anew
    size: tuple[int, int]
    header: dicom.Dicom | None  # of a DICOM file, without its PNG


def check(
    folder: Path, limits: Limits, classes: Sequence[str] | None = None, patient_column: str | None = "patient_id"
) -> Checked:
    """Read every image and mask that the folder declares, and say what is wrong.

    folder: holds manifest.csv (path, label, split, attributes, spurious_mask), or train|validation|test/<class>/.
    classes: the labels allowed; None takes them from the rows.
    patient_column: whose values must not be in two splits, nor may the patients of DICOM headers where a row names
    none; None when nobody's may be compared.
    """
    if not folder.is_dir():
        return Checked([], [Problem(None, str(folder), Message("There is no such folder."))], [], [], "")
    listing = list_folder(folder)
    too_much = _limit_problem(listing, limits)
    if too_much:
        return Checked([], [Problem(None, "", too_much)], [], [], "")
    declared = declared_rows(folder, listing, limits, patient_column)
    pictures = _read_all(folder, listing, limits, declared.rows)
    complaints = [*_label_problems(declared.rows, classes), *_file_problems(declared.rows, pictures)]
    patients = _patients(declared.rows, pictures) if patient_column else {}
    complaints += [*_duplicates(declared.rows, pictures), *_patients_in_two_splits(declared.rows, patients)]
    broken = {row.number for row, _ in complaints}
    images = [_checked(row, pictures, patients) for row in declared.rows if row.number not in broken]
    problems = declared.problems + [
        Problem(row.number if declared.has_manifest else None, row.path, message) for row, message in complaints
    ]
    problems.sort(key=lambda problem: (problem.row or 0, problem.path))
    names = list(classes) if classes else sorted({row.label for row in declared.rows}, key=_natural)
    problems += _set_problems(declared.rows, problems, names)
    return Checked(images, problems, names, declared.attributes, _digest(images))


def kept(path: Path, max_pixels: int) -> bytes:
    """What is kept of a file that was found sound: all of it, but of a DICOM file the picture alone, as PNG.

    The same bytes each time. Raises ImageError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _kept(path.read_bytes(), max_pixels)[0]


def _kept(data: bytes, max_pixels: int) -> tuple[bytes, dicom.Dicom | None]:
    if not dicom.is_dicom(data):
        return data, None
    read = dicom.read_dicom(data, max_pixels)
    return read.png, replace(read, png=b"")


def _limit_problem(listing: Listing, limits: Limits) -> Message | None:
    if len(listing.files) > limits.files:
        return Message(
            "The folder holds %(given)s files; %(most)s are allowed.", given=len(listing.files), most=limits.files
        )
    total = sum(listing.files.values())
    if total > limits.total_bytes:
        return Message(
            "The files have %(given)s bytes in all; %(most)s are allowed.", given=total, most=limits.total_bytes
        )
    return None


def _read_all(folder: Path, listing: Listing, limits: Limits, rows: Iterable[Row]) -> dict[str, Picture | Message]:
    """Every image and mask by path, read once: a Picture, or the sentence that says why not."""
    paths = list(dict.fromkeys(path for row in rows for path in (row.path, row.mask) if path))

    def read(path: str) -> Picture | Message:
        return _missing(path, listing, limits) or _read(folder / path, limits)

    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as threads:
        # Pillow warns of large pictures, which are refused, and of damaged notes inside a picture, which are not used.
        warnings.simplefilter("ignore")
        return dict(zip(paths, threads.map(read, paths), strict=True))


def _missing(path: str, listing: Listing, limits: Limits) -> Message | None:
    size = listing.files.get(path)
    if size is not None:
        return too_large(size, limits) if size > limits.file_bytes else None
    if listing.links.intersection([path, *map(str, PurePosixPath(path).parents)]):
        return LINK
    if path in listing.folders or path in listing.others or path == ".":
        return Message("It is no file.")
    return Message("The file is missing.")


def _read(path: Path, limits: Limits) -> Picture | Message:
    try:
        data = path.read_bytes()
        if not data:
            return Message("The file is empty.")
        data, header = _kept(data, limits.pixels)
        picture = decode(data, limits.pixels)
    except OSError as error:
        return unreadable(error)
    except ImageError as error:
        return NO_DICOM if path.suffix.lower() in dicom.SUFFIXES and not dicom.is_dicom(data) else error.message
    pixels = hashlib.sha256(f"{picture.mode} {picture.size}".encode())
    pixels.update(picture.tobytes())
    if picture.palette:
        pixels.update(picture.palette.getdata()[1])
    return Picture(hashlib.sha256(data).hexdigest(), pixels.hexdigest(), picture.size, header)


def _label_problems(rows: Iterable[Row], classes: Sequence[str] | None) -> list[tuple[Row, Message]]:
    if not classes:
        return []
    known = ", ".join(classes)
    return [
        (row, Message("Unknown label %(label)s; the classes are %(known)s.", label=repr(row.label), known=known))
        for row in rows
        if row.label not in classes
    ]


def _file_problems(rows: Iterable[Row], pictures: dict[str, Picture | Message]) -> list[tuple[Row, Message]]:
    found = []
    for row in rows:
        image = pictures[row.path]
        mask = pictures[row.mask] if row.mask else None
        if isinstance(image, Message):
            found.append((row, image))
        if isinstance(mask, Message):
            found.append((row, _of_mask(row, mask)))
        elif mask and isinstance(image, Picture) and mask.size != image.size:
            found.append((row, _of_mask(row, _other_size(mask, image))))
    return found


def _of_mask(row: Row, what: Message) -> Message:
    return Message("Mask %(path)s: %(what)s", path=row.mask or "", what=what)


def _other_size(mask: Picture, image: Picture) -> Message:
    own, wanted = (f"{width} x {height}" for width, height in (mask.size, image.size))
    return Message("It has %(own)s pixels, the image %(wanted)s.", own=own, wanted=wanted)


def _duplicates(rows: Iterable[Row], pictures: dict[str, Picture | Message]) -> list[tuple[Row, Message]]:
    """A path that stands twice, and a picture that does: under its first row's name, and whether it leaks."""
    found = []
    by_path: dict[str, Row] = {}
    by_pixels: dict[str, Row] = {}
    for row in rows:
        picture = pictures[row.path]
        first = by_path.setdefault(row.path, row)
        if first is not row:
            found.append((row, Message("The path stands in row %(row)s already.", row=str(first.number))))
        elif isinstance(picture, Picture):
            first = by_pixels.setdefault(picture.pixels, row)
            if first is not row:
                found.append((row, _duplicate(row, first)))
    return found


def _duplicate(row: Row, first: Row) -> Message:
    if row.split != first.split:
        return Message(
            "The same image as %(path)s, which is in split %(there)s: this one is in %(here)s.",
            path=first.path,
            there=first.split,
            here=row.split,
        )
    return Message("The same image as %(path)s.", path=first.path)


def _patients(rows: Iterable[Row], pictures: dict[str, Picture | Message]) -> dict[int, str]:
    """By the row's number; what a row says goes before what stands for the patient in its DICOM header."""
    found = {}
    for row in rows:
        picture = pictures[row.path]
        header = picture.header if isinstance(picture, Picture) else None
        patient = row.patient or (header.patient if header else None)
        if patient:
            found[row.number] = patient
    return found


def _patients_in_two_splits(rows: Iterable[Row], patients: dict[int, str]) -> list[tuple[Row, Message]]:
    found = []
    firsts: dict[str, Row] = {}
    for row in rows:
        if row.number not in patients:
            continue
        first = firsts.setdefault(patients[row.number], row)
        if row.split != first.split:
            found.append((row, _in_two_splits(row, first)))
    return found


def _in_two_splits(row: Row, first: Row) -> Message:
    where = {"here": row.split, "there": first.split, "path": first.path}
    if row.patient:
        return Message(
            "Patient %(patient)s is in two splits: %(here)s here, %(there)s with %(path)s.",
            patient=row.patient,
            **where,
        )
    return Message(
        "The patient, by the ID in the DICOM header, is in two splits: %(here)s here, %(there)s with %(path)s. If they "
        "are several, name them in a manifest.csv, or let no column name the patient.",
        **where,
    )


def _set_problems(rows: Sequence[Row], problems: Sequence[Problem], classes: Sequence[str]) -> list[Problem]:
    if not rows and not problems:
        return [Problem(None, "", Message("There are no images."))]
    if len(classes) == 1 and not problems:
        message = Message(
            "All images have the label %(label)s; at least two classes are needed.", label=repr(classes[0])
        )
        return [Problem(None, "", message)]
    return []


def _checked(row: Row, pictures: dict[str, Picture | Message], patients: dict[int, str]) -> CheckedImage:
    image = pictures[row.path]
    mask = pictures[row.mask] if row.mask else None
    assert isinstance(image, Picture)
    assert not isinstance(mask, Message)
    return CheckedImage(
        row,
        image.digest,
        *image.size,
        mask_digest=mask.digest if mask else None,
        patient=patients.get(row.number),
        is_dicom=image.header is not None,
        burned_in=image.header is not None and image.header.burned_in,
    )


def _natural(label: str) -> tuple[bool, int, str]:
    """Numbers by value and before words, so that class 10 follows class 9."""
    is_number = label.isascii() and label.isdigit()
    return (not is_number, int(label) if is_number else 0, label)


def _digest(images: Iterable[CheckedImage]) -> str:
    lines = []
    for image in images:
        row = image.row
        facts = (row.path, row.label, row.split, sorted(row.attributes.items()), row.patient)
        lines.append(json.dumps((*facts, image.digest, image.mask_digest)))
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
