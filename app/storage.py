"""Blobs by the hash of their content, and uploads, in a local folder or any store that fsspec knows."""

import re
import shutil
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import fsspec

from app.config import settings

BLOCK = 1 << 20  # bytes
UPLOAD = "upload-"  # what the names of uploads begin with; all other blobs are named by their content
NAME = f"^({UPLOAD}[0-9a-f]{{32}}|[0-9a-f]{{64}})$"


class BlobMissingError(Exception):
    """A row names a blob that the store does not hold."""


class Storage:
    """Content-addressed but for uploads: the same bytes are stored once, and what is stored is never changed."""

    def __init__(self, url: str) -> None:
        self.files, self.root = fsspec.core.url_to_fs(url)

    def _path(self, digest: str) -> str:
        if not re.fullmatch(NAME, digest):  # it may come from outside, and must not lead out of the store
            raise self._missing(digest)
        return f"{self.root}/{digest[:2]}/{digest}"

    def put(self, data: bytes) -> str:
        """Stores the bytes and returns their SHA-256 in hexadecimal."""
        digest = sha256(data).hexdigest()
        path = self._path(digest)
        if not self.files.exists(path):
            self.files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            draft = f"{path}.{uuid4().hex}"  # a killed writer leaves a draft, never half a blob
            self.files.pipe_file(draft, data)
            self.files.mv(draft, path)
        return digest

    def put_upload(self, source: BinaryIO) -> str:
        """Stores what somebody sends, whatever its size, and returns a name of its own.

        Nobody shares it, even if the same bytes are sent twice, so it can be forgotten with the run that it is for.
        """
        name = f"{UPLOAD}{uuid4().hex}"
        self.files.makedirs(self._path(name).rsplit("/", 1)[0], exist_ok=True)
        with self.files.open(self._path(name), "wb") as target:
            shutil.copyfileobj(source, target, BLOCK)
        return name

    def get(self, digest: str) -> bytes:
        try:
            data: bytes = self.files.cat_file(self._path(digest))
        except FileNotFoundError as error:
            raise self._missing(digest) from error
        return data

    def copy_to(self, digest: str, target: Path) -> None:
        """Write a blob into a file, whatever its size."""
        try:
            self.files.get_file(self._path(digest), str(target))
        except FileNotFoundError as error:
            raise self._missing(digest) from error

    def _missing(self, digest: str) -> BlobMissingError:
        return BlobMissingError(f"The store at {self.root} has no blob {digest}.")

    def forget(self, digest: str) -> None:
        """Takes a blob away that nothing needs any more, such as a half-trained model; gone already is fine."""
        with suppress(FileNotFoundError):
            self.files.rm_file(self._path(digest))


@lru_cache
def storage() -> Storage:
    return Storage(settings().resolved_blob_url)
