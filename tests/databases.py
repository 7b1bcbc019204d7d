"""A migrated database of a test's own, with its own data folder: SQLite by default, PostgreSQL where a test asks."""

import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from app import db
from app.migrations import migrate
from worker.benchmarks.own_database import forget_settings

TABLES = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
OTHERS_LEAVE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Columns, indexes and triggers with all that can be changed of them.
SCHEMA = """
    SELECT table_name, column_name, concat_ws(',', data_type, is_nullable, column_default, character_maximum_length)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT tgrelid::regclass::text, tgname, concat_ws(',', tgenabled, pg_get_triggerdef(oid)) FROM pg_trigger
    WHERE NOT tgisinternal
    UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    UNION ALL SELECT 'alembic_version', 'version_num', version_num FROM alembic_version
    ORDER BY 1, 2, 3
"""


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrating takes a while, copying the result does not."""
    path = tmp_path_factory.mktemp("template") / "rightreasons.sqlite3"
    engine = db.connect(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def empty_postgres(postgres_url: str) -> Generator["EmptyDatabases"]:
    server = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    make_database(server, "migrated")
    template = db.connect(url_of(server, "migrated"))
    migrate(template)
    template.dispose()
    yield EmptyDatabases(server)
    server.dispose()


class EmptyDatabases:
    """Databases at the newest schema without a row, copies of a template.

    A database is some 380 files, which took two seconds to remove where this was measured: it is used again.
    """

    def __init__(self, server: Engine) -> None:
        self._server = server
        self._free = list[str]()
        self._schema = self._schema_of("migrated")

    @contextmanager
    def lent(self) -> Generator[str]:
        """The URL of one that nobody else has meanwhile; one whose schema was changed is not used again."""
        if self._free:
            name = self._free.pop()
        else:
            name = f"test_{uuid4().hex}"
            make_database(self._server, name, "TEMPLATE migrated")
        yield url_of(self._server, name)
        with self._connected(name) as connection:
            connection.execute(text(OTHERS_LEAVE))  # what a test forgot to close may hold locks
        if self._schema_of(name) == self._schema:
            self._empty(name)
            self._free.append(name)

    def _schema_of(self, name: str) -> Sequence[Any]:
        with self._connected(name) as connection:
            return [tuple(row) for row in connection.execute(text(SCHEMA))]

    def _empty(self, name: str) -> None:
        with self._connected(name) as connection:
            tables = [table for table in connection.scalars(text(TABLES)) if table != "alembic_version"]
            connection.execute(text("SET session_replication_role = replica"))  # neither triggers nor foreign keys
            for table in tables:
                connection.execute(text(f"DELETE FROM {table}"))

    @contextmanager
    def _connected(self, name: str) -> Generator[Connection]:
        engine = create_engine(url_of(self._server, name), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection
        engine.dispose()


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
def postgres(data_folder: Path, monkeypatch: pytest.MonkeyPatch, empty_postgres: EmptyDatabases) -> Generator[None]:
    with empty_postgres.lent() as url:
        monkeypatch.setenv("RIGHTREASONS_DATABASE_URL", url)
        forget_settings()
        yield
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
