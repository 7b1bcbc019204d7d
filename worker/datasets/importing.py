"""Checking a folder of images. Nothing is stored here; whatever is wrong is told by row before anything is."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from worker.datasets.archives import ArchiveError, unpack
from worker.datasets.rows import Limits, Listing, Problem, Row, declared_rows, list_folder
from worker.vision import dicom
from worker.vision.pictures import ImageError, decode

__all__ = ["ArchiveError", "Checked", "CheckedImage", "Limits", "Problem", "Row", "check", "kept", "unpack"]

# Decoding and hashing leave Python's lock, so a few threads help; each may hold one large picture in memory.
THREADS = 4
SAME_HEADER = "The patient, by the ID in the DICOM header,"
NOT_SAME = "If they are several, name them in a manifest.csv, or let no column name the patient."
NO_DICOM = "It is no DICOM file, whatever its name says: the letters DICM are missing where it starts."


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
        return Checked([], [Problem(None, str(folder), "There is no such folder.")], [], [], "")
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


def _limit_problem(listing: Listing, limits: Limits) -> str | None:
    if len(listing.files) > limits.files:
        return f"The folder holds {len(listing.files):,} files; {limits.files:,} are allowed."
    total = sum(listing.files.values())
    if total > limits.total_bytes:
        return f"The files have {total:,} bytes in all; {limits.total_bytes:,} are allowed."
    return None


def _read_all(folder: Path, listing: Listing, limits: Limits, rows: Iterable[Row]) -> dict[str, Picture | str]:
    """Every image and mask by path, read once: a Picture, or the sentence that says why not."""
    paths = list(dict.fromkeys(path for row in rows for path in (row.path, row.mask) if path))

    def read(path: str) -> Picture | str:
        return _missing(path, listing, limits) or _read(folder / path, limits)

    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as threads:
        # Pillow warns of large pictures, which are refused, and of damaged notes inside a picture, which are not used.
        warnings.simplefilter("ignore")
        return dict(zip(paths, threads.map(read, paths), strict=True))


def _missing(path: str, listing: Listing, limits: Limits) -> str | None:
    size = listing.files.get(path)
    if size is not None:
        return f"It has {size:,} bytes; a file may have {limits.file_bytes:,}." if size > limits.file_bytes else None
    if listing.links.intersection([path, *map(str, PurePosixPath(path).parents)]):
        return "It is a link; links are not followed."
    if path in listing.folders or path in listing.others or path == ".":
        return "It is no file."
    return "The file is missing."


def _read(path: Path, limits: Limits) -> Picture | str:
    try:
        data = path.read_bytes()
        if not data:
            return "The file is empty."
        data, header = _kept(data, limits.pixels)
        picture = decode(data, limits.pixels)
    except OSError as error:
        return f"The file cannot be read ({error.strerror})."
    except ImageError as error:
        return NO_DICOM if path.suffix.lower() in dicom.SUFFIXES and not dicom.is_dicom(data) else str(error)
    pixels = hashlib.sha256(f"{picture.mode} {picture.size}".encode())
    pixels.update(picture.tobytes())
    if picture.palette:
        pixels.update(picture.palette.getdata()[1])
    return Picture(hashlib.sha256(data).hexdigest(), pixels.hexdigest(), picture.size, header)


def _label_problems(rows: Iterable[Row], classes: Sequence[str] | None) -> list[tuple[Row, str]]:
    if not classes:
        return []
    message = f"the classes are {', '.join(classes)}."
    return [(row, f"Unknown label {row.label!r}; {message}") for row in rows if row.label not in classes]


def _file_problems(rows: Iterable[Row], pictures: dict[str, Picture | str]) -> list[tuple[Row, str]]:
    found = []
    for row in rows:
        image = pictures[row.path]
        mask = pictures[row.mask] if row.mask else None
        if isinstance(image, str):
            found.append((row, image))
        if isinstance(mask, str):
            found.append((row, f"Mask {row.mask}: {mask}"))
        elif mask and isinstance(image, Picture) and mask.size != image.size:
            sizes = f"{mask.size[0]} x {mask.size[1]} pixels, the image {image.size[0]} x {image.size[1]}"
            found.append((row, f"Mask {row.mask}: It has {sizes}."))
    return found


def _duplicates(rows: Iterable[Row], pictures: dict[str, Picture | str]) -> list[tuple[Row, str]]:
    """A path that stands twice, and a picture that does: under its first row's name, and whether it leaks."""
    found = []
    by_path: dict[str, Row] = {}
    by_pixels: dict[str, Row] = {}
    for row in rows:
        picture = pictures[row.path]
        first = by_path.setdefault(row.path, row)
        if first is not row:
            found.append((row, f"The path stands in row {first.number} already."))
        elif isinstance(picture, Picture):
            first = by_pixels.setdefault(picture.pixels, row)
            if first is not row:
                found.append((row, _duplicate(row, first)))
    return found


def _duplicate(row: Row, first: Row) -> str:
    if row.split != first.split:
        return f"The same image as {first.path}, which is in split {first.split}: this one is in {row.split}."
    return f"The same image as {first.path}."


def _patients(rows: Iterable[Row], pictures: dict[str, Picture | str]) -> dict[int, str]:
    """By the row's number; what a row says goes before what stands for the patient in its DICOM header."""
    found = {}
    for row in rows:
        picture = pictures[row.path]
        header = picture.header if isinstance(picture, Picture) else None
        patient = row.patient or (header.patient if header else None)
        if patient:
            found[row.number] = patient
    return found


def _patients_in_two_splits(rows: Iterable[Row], patients: dict[int, str]) -> list[tuple[Row, str]]:
    found = []
    firsts: dict[str, Row] = {}
    for row in rows:
        if row.number not in patients:
            continue
        first = firsts.setdefault(patients[row.number], row)
        if row.split != first.split:
            where = f"is in two splits: {row.split} here, {first.split} with {first.path}."
            found.append(
                (row, f"Patient {row.patient} {where}" if row.patient else f"{SAME_HEADER} {where} {NOT_SAME}")
            )
    return found


def _set_problems(rows: Sequence[Row], problems: Sequence[Problem], classes: Sequence[str]) -> list[Problem]:
    if not rows and not problems:
        return [Problem(None, "", "There are no images.")]
    if len(classes) == 1 and not problems:
        return [Problem(None, "", f"All images have the label {classes[0]!r}; at least two classes are needed.")]
    return []


def _checked(row: Row, pictures: dict[str, Picture | str], patients: dict[int, str]) -> CheckedImage:
    image = pictures[row.path]
    mask = pictures[row.mask] if row.mask else None
    assert isinstance(image, Picture)
    assert not isinstance(mask, str)
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
