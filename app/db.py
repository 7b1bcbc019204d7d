"""The engine and its sessions, for the web server and the worker alike."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Engine, MetaData, TypeDecorator, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from app.config import settings

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
SQLITE_BUSY_SECONDS = 15
ONE = "engine"
_engines: dict[str, Engine] = {}


class Instant(TypeDecorator[datetime]):
    """A moment in UTC: SQLite keeps no time zone, which is put back; PostgreSQL answers in its session's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and dialect.name == "sqlite":
            return value.astimezone(UTC).replace(tzinfo=None)
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: Instant, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012  SQLAlchemy reads it


def now() -> datetime:
    return datetime.now(UTC)


def connect(url: str) -> Engine:
    """An engine; with SQLite in WAL mode, where every transaction takes the write lock at its start.

    A deferred BEGIN that writes later fails with "database is locked" without waiting; BEGIN IMMEDIATE waits its turn.
    """
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        del record
        connection.isolation_level = None  # sqlite3 must not begin by itself
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:  # noqa: ANN401  the event's own type
        reads = connection.get_execution_options().get("reads_only", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def engine() -> Engine:
    """The one engine of this process."""
    made = _engines.get(ONE)
    if made is None:
        url = settings().resolved_database_url
        if url.startswith("sqlite:///"):
            settings().data.mkdir(parents=True, exist_ok=True)
        # Of threads that ask first at once, the first one's is every one's: a second would have connections of its own,
        # which nobody would close. An engine has none before it is used.
        made = _engines.setdefault(ONE, connect(url))
    return made


def forget_engine() -> None:
    """Closes its connections; the next to ask gets another, of what the settings say then."""
    made = _engines.pop(ONE, None)
    if made is not None:
        made.dispose()
    session_factory.cache_clear()


@lru_cache
def session_factory() -> sessionmaker[Session]:
    # Here, so that there is no session without it: it listens to what sessions change.
    import app.audit.recording  # noqa: F401

    return sessionmaker(engine(), expire_on_commit=False)


@contextmanager
def transaction() -> Generator[Session]:
    """One transaction: committed at the end, rolled back on an error."""
    with session_factory()() as session, session.begin():
        yield session


@contextmanager
def reading() -> Generator[Session]:
    """A session that only reads, so it waits for no writer; its rows stay readable after it."""
    with session_factory()() as session:
        session.connection(execution_options={"reads_only": True})
        yield session
        session.expunge_all()  # the rollback at the end would empty the rows
