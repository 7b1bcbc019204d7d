"""The folder of a data set that somebody brings: as it lies there, or unpacked for as long as it is read."""

import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from app.config import settings
from app.languages.messages import Message
from app.runs.parameters import ImportParameters
from app.storage import storage
from worker.datasets.importing import Limits, unpack
from worker.tasks.job import RefusedError


def limits() -> Limits:
    known = settings()
    return Limits(
        pixels=known.max_image_pixels,
        files=known.max_archive_files,
        file_bytes=known.max_file_bytes,
        total_bytes=known.max_archive_bytes,
        ratio=known.max_archive_ratio,
    )


def scratch(parameters: ImportParameters) -> AbstractContextManager[str]:
    """Where a zip is unpacked; it is gone afterwards, whatever happens."""
    is_folder = parameters.path and Path(parameters.path).is_dir()
    return nullcontext(parameters.path) if is_folder else tempfile.TemporaryDirectory(prefix="import-")


def the_folder(parameters: ImportParameters, space: Path) -> Path:
    if parameters.path and Path(parameters.path).is_dir():
        return Path(parameters.path)
    if parameters.blob:
        archive = space / "upload.zip"
        storage().copy_to(parameters.blob, archive)
        return unpack(archive, space / "unpacked", limits())
    if not Path(parameters.path).is_file():
        raise RefusedError(Message("There is no folder and no file at %(path)s.", path=parameters.path))
    return unpack(Path(parameters.path), space / "unpacked", limits())
