"""The LVLM's answers, kept in a folder of the data folder under the hash of their question."""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

BLOCK = 4096  # bytes that a file takes at least, whatever it holds
SLACK = 0.02  # share of the limit that is written between two looks at the folder, and made free by each that must

log = logging.getLogger(__name__)


class AnswerFolder:
    """Holds about ``limit`` bytes; the oldest entries go first. Several processes may share it.

    It only saves work: where the disk is full or the folder can't be written, nothing is kept and no run fails.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._unseen = limit  # bytes that may have come since the folder was last looked at

    def get(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except OSError:
            return None

    def put(self, key: str, entry: bytes) -> None:
        path = self._path(key)
        draft = path.with_suffix(f".{uuid4().hex}")  # a killed writer leaves a draft, never half an entry
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(entry)
            draft.replace(path)
        except OSError as error:
            log.warning("An answer of the LVLM was not kept: %s", error)
            with suppress(OSError):
                draft.unlink()
            return
        self._unseen += max(BLOCK, len(entry))
        if self._unseen > self.limit * SLACK:
            self._make_room()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _make_room(self) -> None:
        files = sorted(self._files())
        held = sum(size for _, size, _ in files)
        wanted = self.limit * (1 - SLACK) if held > self.limit else held
        for _, size, path in files:
            if held <= wanted:
                break
            with suppress(OSError):  # another process makes room too
                path.unlink()
            held -= size
        self._unseen = 0

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        """When each was written, its size and its path."""
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder) / name
                with suppress(OSError):
                    known = path.stat()
                    yield known.st_mtime_ns, max(BLOCK, known.st_size), path
