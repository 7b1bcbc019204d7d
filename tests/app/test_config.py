import stat
from pathlib import Path

import pytest

from app.config import MAX_SOCKET_PATH, Settings, settings

pytestmark = pytest.mark.usefixtures("data_folder")


def test_everything_has_a_default_in_the_data_folder(data_folder):
    known = settings()
    assert known.resolved_database_url == f"sqlite:///{data_folder}/rightreasons.sqlite3"
    assert known.resolved_blob_url == str(data_folder / "blobs")
    assert known.resolved_broker_url.startswith("redis+socket://")


def test_the_signing_key_is_made_once_and_is_its_owners_alone(data_folder):
    key = settings().signing_key()
    assert len(key) >= 40
    assert settings().signing_key() == key
    assert stat.S_IMODE((data_folder / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in data_folder.glob("secret_key*")] == ["secret_key"]


def test_a_key_from_the_environment_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("RIGHTREASONS_SECRET_KEY", "given")
    assert Settings().signing_key() == "given"


@pytest.mark.parametrize("depth", [1, 40])
def test_the_socket_path_is_short_enough_however_deep_the_data_folder_is(depth):
    known = Settings(data=Path("/tmp").joinpath(*["deep"] * depth))
    assert len(bytes(known.broker_socket)) <= MAX_SOCKET_PATH


def test_hosts_are_read_from_a_list():
    assert Settings(lvlm_hosts=" gpu.local, vllm:8000 ,").allowed_hosts == {"gpu.local", "vllm:8000"}
    assert Settings().allowed_hosts == frozenset()
