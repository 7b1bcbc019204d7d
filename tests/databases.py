"""A migrated database of a test's own, with its own data folder: SQLite by default, PostgreSQL where a test asks."""

import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, text

from app import db
from app.migrations import migrate
from worker.benchmarks.own_database import forget_settings


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrating takes a while, copying the result does not."""
    path = tmp_path_factory.mktemp("template") / "rightreasons.sqlite3"
    engine = db.connect(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Generator[Callable[[], str]]:
    """Makes fresh databases from a migrated template."""
    server = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    make_database(server, "migrated")
    template = db.connect(url_of(server, "migrated"))
    migrate(template)
    template.dispose()

    def fresh() -> str:
        name = f"test_{uuid4().hex}"
        make_database(server, name, "TEMPLATE migrated")
        return url_of(server, name)

    yield fresh
    server.dispose()


def make_database(server: Engine, name: str, how: str = "") -> None:
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} {how}"))


def url_of(server: Engine, name: str) -> str:
    return server.url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Settings that point into a folder of the test's own; nothing of the caller's environment counts."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("RIGHTREASONS_DATA", str(folder))
    for name in ("DATABASE_URL", "BROKER_URL", "BLOB_URL", "LVLM"):
        monkeypatch.delenv(f"RIGHTREASONS_{name}", raising=False)
    forget_settings()
    yield folder
    forget_settings()


@pytest.fixture
def sqlite(data_folder: Path, migrated_sqlite: Path) -> None:
    shutil.copy(migrated_sqlite, data_folder / "rightreasons.sqlite3")


@pytest.fixture
def postgres(data_folder: Path, monkeypatch: pytest.MonkeyPatch, migrated_postgres: Callable[[], str]) -> None:
    monkeypatch.setenv("RIGHTREASONS_DATABASE_URL", migrated_postgres())
    forget_settings()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Any:
    """The test runs twice, on either database."""
    request.getfixturevalue(request.param)
    return request.param


@pytest.fixture
def broker(sqlite: None, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A real broker beside the test's SQLite database."""
    monkeypatch.setenv("RIGHTREASONS_BROKER_URL", redis_url)
    forget_settings()
    return redis_url
