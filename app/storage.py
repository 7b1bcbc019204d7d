"""Blobs by the hash of their content, in a local folder or any store that fsspec knows."""

from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from uuid import uuid4

import fsspec

from app.config import settings


class BlobMissingError(Exception):
    """A row names a blob that the store does not hold."""


class Storage:
    """Content-addressed: the same bytes are stored once, and what is stored is never changed."""

    def __init__(self, url: str) -> None:
        self.files, self.root = fsspec.core.url_to_fs(url)

    def _path(self, digest: str) -> str:
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

    def get(self, digest: str) -> bytes:
        try:
            data: bytes = self.files.cat_file(self._path(digest))
        except FileNotFoundError as error:
            raise BlobMissingError(f"The store at {self.root} has no blob {digest}.") from error
        return data

    def forget(self, digest: str) -> None:
        """Takes a blob away that nothing needs any more, such as a half-trained model; gone already is fine."""
        with suppress(FileNotFoundError):
            self.files.rm_file(self._path(digest))


@lru_cache
def storage() -> Storage:
    return Storage(settings().resolved_blob_url)
