import hashlib

import pytest

from app.storage import BlobMissingError, Storage, storage

pytestmark = pytest.mark.usefixtures("data_folder")


def test_bytes_come_back_under_their_hash():
    digest = storage().put(b"a picture")
    assert digest == hashlib.sha256(b"a picture").hexdigest()
    assert storage().get(digest) == b"a picture"


def test_the_same_bytes_are_stored_once(data_folder):
    assert storage().put(b"a picture") == storage().put(b"a picture")
    assert len([path for path in (data_folder / "blobs").rglob("*") if path.is_file()]) == 1


def test_a_missing_blob_is_told_by_name():
    with pytest.raises(BlobMissingError, match="has no blob 00"):
        storage().get("00" * 32)


def test_a_forgotten_blob_is_gone_and_may_be_forgotten_again():
    digest = storage().put(b"half a model")
    storage().forget(digest)
    storage().forget(digest)
    with pytest.raises(BlobMissingError):
        storage().get(digest)


def test_any_store_that_fsspec_knows_will_do():
    elsewhere = Storage("memory://blobs")
    assert elsewhere.get(elsewhere.put(b"a picture")) == b"a picture"
