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


@pytest.mark.parametrize("name", ["../../secret", "ab/../../../secret", "00" * 32 + "/../../../../secret", ""])
def test_no_name_leads_out_of_the_store(data_folder, tmp_path, name):
    storage().put(b"a picture")
    (data_folder / "secret").write_text("key")
    for read in (storage().get, lambda digest: storage().copy_to(digest, tmp_path / "copy")):
        with pytest.raises(BlobMissingError):
            read(name)


def test_a_forgotten_blob_is_gone_and_may_be_forgotten_again():
    digest = storage().put(b"half a model")
    storage().forget(digest)
    storage().forget(digest)
    with pytest.raises(BlobMissingError):
        storage().get(digest)


def test_any_store_that_fsspec_knows_will_do():
    elsewhere = Storage("memory://blobs")
    assert elsewhere.get(elsewhere.put(b"a picture")) == b"a picture"


@pytest.mark.parametrize("url", ["", "memory://uploads"])
def test_an_upload_is_copied_out_as_it_came(data_folder, tmp_path, url):
    store = Storage(url) if url else storage()
    data = bytes(range(256)) * 9000  # more than one block
    store.copy_to(store.put_upload(io.BytesIO(data)), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data


def test_an_upload_shares_its_bytes_with_nobody():
    first, second = (storage().put_upload(io.BytesIO(b"weights")) for _ in range(2))
    digest = storage().put(b"weights")
    storage().forget(first)
    assert storage().get(second) == storage().get(digest) == b"weights"


def test_a_missing_blob_cannot_be_copied(tmp_path):
    with pytest.raises(BlobMissingError, match="has no blob 00"):
        storage().copy_to("00" * 32, tmp_path / "copy")
