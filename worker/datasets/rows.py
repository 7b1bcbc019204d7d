"""What a folder says of its images: the rows of manifest.csv, or the folders split/class when there is none."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from app.languages.messages import Message, joined
from worker.vision import dicom

MANIFEST = "manifest.csv"
SPLITS = ("train", "validation", "test")
NEEDED = ("path", "label", "split")
MASK = "spurious_mask"
LINK = Message("It is a link; links are not followed.")
CONTROLS = Message("The path holds control characters.")
DEFAULT_PATIENT_COLUMN = "patient_id"
SUFFIXES = (".png", ".jpg", ".jpeg", *dicom.SUFFIXES)
# What desktops leave behind in folders.
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX")
LONGEST_TEXT = 200
LONGEST_PATH = 1000


@dataclass(frozen=True)
class Row:
    number: int  # as a spreadsheet counts manifest.csv, so the first is 2; without a manifest from 1 on
    path: str  # inside the folder, with / between its parts
    label: str
    split: str  # one of SPLITS
    attributes: dict[str, str]
    patient: str | None
    mask: str | None  # path of the true spurious mask, for measuring only


@dataclass(frozen=True)
class Problem:
    row: int | None  # None where it is no row's, or where there is no manifest
    path: str
    message: Message


@dataclass(frozen=True)
class Limits:
    pixels: int  # of one image
    files: int
    file_bytes: int
    total_bytes: int  # of all files, unpacked
    ratio: float  # of a file's size in a zip, unpacked to packed


@dataclass
class Listing:
    """Everything in a folder, by path; links are neither followed nor files."""

    files: dict[str, int] = field(default_factory=dict)  # size in bytes
    links: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)  # pipes, sockets, devices


@dataclass
class Declared:
    """The rows that are well formed, and what is wrong with the others."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    has_manifest: bool = True


def list_folder(folder: Path) -> Listing:
    listing = Listing()
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(folder / inside) as entries:
            for entry in entries:
                path = f"{inside}/{entry.name}" if inside else entry.name
                if entry.is_symlink():
                    listing.links.add(path)
                elif entry.is_dir():
                    listing.folders.add(path)
                    waiting.append(path)
                elif entry.is_file():
                    listing.files[path] = entry.stat().st_size
                else:
                    listing.others.add(path)
    return listing


def declared_rows(folder: Path, listing: Listing, limits: Limits, patient_column: str | None) -> Declared:
    """Rows of manifest.csv, or of the folders train|validation|test/<class> where there is no manifest."""
    if MANIFEST in listing.links:
        return Declared(problems=[Problem(None, MANIFEST, LINK)])
    size = listing.files.get(MANIFEST)
    if size is None:
        return _folder_rows(folder, listing)
    if size > limits.file_bytes:
        return Declared(problems=[Problem(None, MANIFEST, too_large(size, limits))])
    return _manifest_rows((folder / MANIFEST).read_bytes(), patient_column)


def too_large(size: int, limits: Limits) -> Message:
    return Message("It has %(size)s bytes; a file may have %(most)s.", size=size, most=limits.file_bytes)


def path_problem(path: str) -> Message | None:
    """What is wrong with a path before looking for the file, or None."""
    if "\\" in path:
        return Message("The path has a backslash; write / between folders.")
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive:
        return Message("The path is absolute; write it as it stands inside the folder.")
    if ".." in PurePosixPath(path).parts:
        return Message("The path leads outside the folder.")
    if len(path) > LONGEST_PATH:
        return Message("The path has %(given)s characters; it may have %(most)s.", given=len(path), most=LONGEST_PATH)
    return None


def unreadable(error: OSError) -> Message:
    return Message("The file cannot be read (%(error)s).", error=error.strerror or "")


def shown(path: str) -> str:
    """The path as a message may carry it: control characters could otherwise play tricks on a terminal."""
    return path if path.isprintable() else repr(path)


def _manifest_rows(data: bytes, patient_column: str | None) -> Declared:
    declared = Declared()
    try:
        # Spreadsheets put a byte order mark before UTF-8.
        records = _records(data.decode("utf-8-sig"))
        header = [name.strip() for name in next(records, [])]
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        declared.problems.append(Problem(line, MANIFEST, Message("It is not UTF-8 text; save it as CSV in UTF-8.")))
        return declared
    except csv.Error as error:
        message = Message("Its first row is no CSV (%(error)s).", error=str(error))
        declared.problems.append(Problem(1, MANIFEST, message))
        return declared
    complaint = _header_problem(header, patient_column)
    if complaint:
        declared.problems.append(Problem(1, MANIFEST, complaint))
        return declared
    known = {*NEEDED, MASK, patient_column}
    declared.attributes = [name for name in header if name not in known]
    _read_records(records, header, patient_column, declared)
    return declared


def _records(text: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), strict=True)


def _header_problem(  # noqa: PLR0911 - one for each reason
    header: Sequence[str], patient_column: str | None
) -> Message | None:
    if not header:
        return Message("It is empty; it needs the columns path, label and split.")
    if not all(name.isprintable() for name in header):
        return Message("A column's name holds control characters; save it as CSV in UTF-8, with commas.")
    missing = [name for name in NEEDED if name not in header]
    if missing and any(";" in name for name in header):
        return Message("Its columns must be separated by commas.")
    if missing:
        return Message("It has no column %(names)s; it needs path, label and split.", names=", ".join(missing))
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        if not doubled[0]:
            return Message("It has more than one column without a name.")
        return Message("The column %(name)s stands more than once.", name=doubled[0])
    if "" in header:
        return Message("It has a column without a name.")
    if patient_column not in {None, DEFAULT_PATIENT_COLUMN, *header}:
        return Message("It has no column %(name)s, which was to tell the patients apart.", name=str(patient_column))
    return None


def _read_records(
    records: Iterator[list[str]], header: Sequence[str], patient_column: str | None, declared: Declared
) -> None:
    number = 1
    while True:
        number += 1
        try:
            cells = next(records, None)
        except csv.Error as error:
            # Where a quote is broken, the rows after it cannot be told apart either.
            message = Message("From here on it is no CSV (%(error)s).", error=str(error))
            declared.problems.append(Problem(number, MANIFEST, message))
            return
        if cells is None:
            return
        if not any(cells):
            continue
        row = _row(number, [cell.strip() for cell in cells], header, patient_column)
        declared.rows.append(row) if isinstance(row, Row) else declared.problems.append(row)


def _row(number: int, cells: Sequence[str], header: Sequence[str], patient_column: str | None) -> Row | Problem:
    if len(cells) != len(header):
        message = Message(
            "The row has %(given)s cells; the header has %(wanted)s.", given=len(cells), wanted=len(header)
        )
        return Problem(number, shown(cells[0]), message)
    values = dict(zip(header, cells, strict=True))
    path = values.pop("path")
    complaint = _cell_problem(path, values)
    if complaint:
        return Problem(number, shown(path), complaint)
    mask = values.pop(MASK, "") or None
    return Row(
        number=number,
        path=str(PurePosixPath(path)),
        label=values.pop("label"),
        split=values.pop("split"),
        patient=(values.pop(patient_column, "") or None) if patient_column else None,
        mask=str(PurePosixPath(mask)) if mask else None,
        attributes=values,
    )


def _cell_problem(path: str, values: dict[str, str]) -> Message | None:
    for name, value in (("path", path), *values.items()):
        if not value and name in NEEDED:
            return Message("The cell %(name)s is empty.", name=name)
        if not value.isprintable():
            return Message("The cell %(name)s holds control characters.", name=name)
        if len(value) > LONGEST_TEXT and name not in {"path", MASK}:
            return Message(
                "The cell %(name)s has %(given)s characters; it may have %(most)s.",
                name=name,
                given=len(value),
                most=LONGEST_TEXT,
            )
    if values["split"] not in SPLITS:
        return Message("Unknown split %(name)s; use train, validation or test.", name=repr(values["split"]))
    complaint = path_problem(path)
    if complaint:
        return complaint
    mask = path_problem(values.get(MASK, ""))
    return joined((MASK, mask), ": ") if mask else None


def _folder_rows(folder: Path, listing: Listing) -> Declared:
    declared = Declared(has_manifest=False)
    found = [path for path in (*listing.files, *listing.links, *listing.folders, *listing.others) if _counts(path)]
    if not any(path in SPLITS for path in listing.folders):
        message = Message("There is neither a manifest.csv nor a folder train, validation or test.")
        declared.problems.append(Problem(None, "", message))
        return declared
    for path in sorted(found):
        parts = PurePosixPath(path).parts
        complaint = _place_problem(path, parts, listing) or _kind_problem(folder, path, parts, listing)
        if complaint:
            declared.problems.append(Problem(None, shown(path), complaint))
        elif len(parts) == 3 and path in listing.files:  # noqa: PLR2004 - split/class/file
            split, label, _ = parts
            declared.rows.append(Row(len(declared.rows) + 1, path, label, split, {}, None, None))
    return declared


def _counts(path: str) -> bool:
    """False for hidden files, what desktops leave behind, and loose files beside the split folders."""
    return not any(part.startswith(".") or part in LITTER for part in PurePosixPath(path).parts)


def _place_problem(path: str, parts: Sequence[str], listing: Listing) -> Message | None:
    is_folder = path in listing.folders
    if path in listing.links:
        return LINK
    if parts[0] not in SPLITS:
        unknown = len(parts) == 1 and is_folder
        message = Message("Unknown folder %(name)s; the splits are train, validation and test.", name=repr(path))
        return message if unknown else None
    if len(parts) <= 2:  # noqa: PLR2004 - split, or split/class
        message = Message("It stands beside the class folders; images belong into train/<class>/.")
        return None if is_folder else message
    if is_folder or len(parts) > 3:  # noqa: PLR2004 - split/class/file
        message = Message("It is a folder inside a class folder; images belong directly into train/<class>/.")
        return message if is_folder else None
    if not path.isprintable():
        return CONTROLS
    return path_problem(path)


def _kind_problem(folder: Path, path: str, parts: Sequence[str], listing: Listing) -> Message | None:
    """By the name; DICOM files often have none that says so, and are known by how they start."""
    is_image = len(parts) == 3 and parts[0] in SPLITS and path in listing.files  # noqa: PLR2004 - split/class/file
    if not is_image or path.lower().endswith(SUFFIXES):
        return None
    try:
        with (folder / path).open("rb") as file:
            known = dicom.is_dicom(file.read(dicom.START))
    except OSError as error:
        return unreadable(error)
    message = Message("It is no .png, .jpg, .jpeg or .dcm file, and no DICOM file by how it starts.")
    return None if known else message
