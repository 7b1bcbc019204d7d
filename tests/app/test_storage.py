import hashlib
import io

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


@pytest.mark.parametrize("url", ["", "memory://streamed"])
def test_a_stream_is_stored_as_its_bytes_would_be_and_copied_out_again(data_folder, tmp_path, url):
    store = Storage(url) if url else storage()
    data = bytes(range(256)) * 9000  # more than one block
    digest = store.put_stream(io.BytesIO(data))
    assert digest == hashlib.sha256(data).hexdigest() == store.put(data) == store.put_stream(io.BytesIO(data))
    store.copy_to(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    if not url:
        assert [path.name for path in (data_folder / "blobs").rglob("*") if path.is_file()] == [digest]


def test_a_missing_blob_cannot_be_copied(tmp_path):
    with pytest.raises(BlobMissingError, match="has no blob 00"):
        storage().copy_to("00" * 32, tmp_path / "copy")
