"""Checking a folder of images. Nothing is stored here; whatever is wrong is told by row before anything is."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from worker.datasets.archives import ArchiveError, unpack
from worker.datasets.rows import Limits, Listing, Problem, Row, declared_rows, list_folder
from worker.vision.pictures import ImageError, decode

__all__ = ["ArchiveError", "Checked", "CheckedImage", "Limits", "Problem", "Row", "check", "unpack"]

# Decoding and hashing leave Python's lock, so a few threads help; each may hold one large picture in memory.
THREADS = 4


@dataclass(frozen=True)
class CheckedImage:
    row: Row
    digest: str  # SHA-256 of the file
    width: int  # in pixels, after turning as EXIF says
    height: int
    mask_digest: str | None


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


def check(
    folder: Path, limits: Limits, classes: Sequence[str] | None = None, patient_column: str | None = "patient_id"
) -> Checked:
    """Read every image and mask that the folder declares, and say what is wrong.

    folder: holds manifest.csv (path, label, split, attributes, spurious_mask), or train|validation|test/<class>/.
    classes: the labels allowed; None takes them from the rows.
    patient_column: whose values must not be in two splits; None when there is none.
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
    complaints += [*_duplicates(declared.rows, pictures), *_patients_in_two_splits(declared.rows)]
    broken = {row.number for row, _ in complaints}
    images = [_checked(row, pictures) for row in declared.rows if row.number not in broken]
    problems = declared.problems + [
        Problem(row.number if declared.has_manifest else None, row.path, message) for row, message in complaints
    ]
    problems.sort(key=lambda problem: (problem.row or 0, problem.path))
    names = list(classes) if classes else sorted({row.label for row in declared.rows}, key=_natural)
    problems += _set_problems(declared.rows, problems, names)
    return Checked(images, problems, names, declared.attributes, _digest(images))


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
        picture = decode(data, limits.pixels)
    except OSError as error:
        return f"The file cannot be read ({error.strerror})."
    except ImageError as error:
        return str(error)
    pixels = hashlib.sha256(f"{picture.mode} {picture.size}".encode())
    pixels.update(picture.tobytes())
    if picture.palette:
        pixels.update(picture.palette.getdata()[1])
    return Picture(hashlib.sha256(data).hexdigest(), pixels.hexdigest(), picture.size)


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


def _patients_in_two_splits(rows: Iterable[Row]) -> list[tuple[Row, str]]:
    found = []
    firsts: dict[str, Row] = {}
    for row in rows:
        if row.patient is None:
            continue
        first = firsts.setdefault(row.patient, row)
        if row.split != first.split:
            message = f"Patient {row.patient} is in two splits: {row.split} here, {first.split} with {first.path}."
            found.append((row, message))
    return found


def _set_problems(rows: Sequence[Row], problems: Sequence[Problem], classes: Sequence[str]) -> list[Problem]:
    if not rows and not problems:
        return [Problem(None, "", "There are no images.")]
    if len(classes) == 1 and not problems:
        return [Problem(None, "", f"All images have the label {classes[0]!r}; at least two classes are needed.")]
    return []


def _checked(row: Row, pictures: dict[str, Picture | str]) -> CheckedImage:
    image = pictures[row.path]
    mask = pictures[row.mask] if row.mask else None
    assert isinstance(image, Picture)
    assert not isinstance(mask, str)
    return CheckedImage(row, image.digest, *image.size, mask.digest if mask else None)


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
