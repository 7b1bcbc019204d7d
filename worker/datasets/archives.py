"""Unpacking a zip that anybody may have made: all of it or nothing, and nothing outside its folder."""

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from app.languages.messages import Message, MessageError, joined
from worker.datasets.rows import CONTROLS, LITTER, SPLITS, Limits, path_problem, shown, too_large

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
ENCRYPTED = 0x1
CHUNK = 1 << 20


class ArchiveError(MessageError):
    """A zip that is refused; the message says why."""


def unpack(archive: Path, into: Path, limits: Limits) -> Path:
    """Unpack into a folder that does not exist yet, and return the folder that holds the data set.

    That is ``into``, or the folder inside it where everything was packed in one. Links, devices, archives inside the
    archive and paths that lead elsewhere are refused before a byte is written. Raises ArchiveError; ``into`` is then
    gone.
    """
    into.mkdir(parents=True)
    try:
        _unpack(archive, into, limits)
    except BaseException:
        shutil.rmtree(into, ignore_errors=True)
        raise
    return _data_folder(into)


def _unpack(archive: Path, into: Path, limits: Limits) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not _is_litter(entry.filename)]
            _refuse(entries, limits)
            for entry in entries:
                _extract(opened, entry, into)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise ArchiveError(damaged(error)) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ArchiveError(Message("The archive holds a file and a folder of the same name.")) from error
    except OSError as error:
        raise ArchiveError(
            Message("The archive could not be unpacked (%(error)s).", error=error.strerror or "")
        ) from error


def damaged(error: Exception) -> Message:
    if not str(error):
        return Message("The file is no zip archive, or it ends early.")
    return Message("The file is no zip archive, or it is damaged (%(error)s).", error=str(error))


def _refuse(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    """Judge the archive by its table of contents; zipfile never unpacks more of an entry than stands there."""
    files = [entry for entry in entries if not entry.is_dir()]
    if not files:
        raise ArchiveError(Message("The archive is empty."))
    if len(entries) > limits.files:
        raise ArchiveError(
            Message("The archive holds %(given)s files; %(most)s are allowed.", given=len(entries), most=limits.files)
        )
    total = sum(entry.file_size for entry in files)
    if total > limits.total_bytes:
        raise ArchiveError(
            Message(
                "Unpacked it would have %(given)s bytes; %(most)s are allowed.", given=total, most=limits.total_bytes
            )
        )
    seen: set[PurePosixPath] = set()
    for entry in entries:
        complaint = _entry_problem(entry, limits)
        if complaint:
            raise ArchiveError(at(entry, complaint))
        path = PurePosixPath(entry.filename)
        if path in seen and not entry.is_dir():
            raise ArchiveError(at(entry, Message("It stands in the archive twice.")))
        seen.add(path)


def at(entry: zipfile.ZipInfo, complaint: Message) -> Message:
    return joined((shown(entry.filename), complaint), ": ")


def _entry_problem(entry: zipfile.ZipInfo, limits: Limits) -> Message | None:  # noqa: PLR0911 - one for each reason
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return Message("It is a link; links are not unpacked.")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return Message("It is no plain file.")
    if entry.flag_bits & ENCRYPTED:
        return Message("It is encrypted; pack the images without a password.")
    if entry.compress_type not in METHODS:
        return Message("It is packed in a way that is not supported; use plain zip compression.")
    if not entry.filename.isprintable():
        return CONTROLS
    if entry.file_size > limits.file_bytes:
        return too_large(entry.file_size, limits)
    if entry.file_size > limits.ratio * max(entry.compress_size, 1):
        return Message("It unpacks to more than %(ratio)s times its size.", ratio=format(limits.ratio, "g"))
    if entry.filename.lower().endswith(ARCHIVES):
        return Message("It is an archive inside the archive; unpack it first.")
    return path_problem(entry.filename)


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, into: Path) -> None:
    target = into / entry.filename
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # "x": two entries never write to one file, whatever their names fold to on this file system.
    with opened.open(entry) as packed, target.open("xb") as unpacked:
        shutil.copyfileobj(packed, unpacked, CHUNK)


def _is_litter(name: str) -> bool:
    return any(part in LITTER for part in PurePosixPath(name).parts)


def _data_folder(into: Path) -> Path:
    """Go down while there is nothing but one folder: people pack the folder as often as what is in it."""
    inside = list(into.iterdir())
    while len(inside) == 1 and inside[0].is_dir() and inside[0].name not in SPLITS:
        into = inside[0]
        inside = list(into.iterdir())
    return into
