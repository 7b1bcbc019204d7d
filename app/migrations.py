"""Brings the database to the newest schema; safe to call at every start."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

ROOT = Path(__file__).resolve().parent.parent


def configuration(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine) -> None:
    command.upgrade(configuration(engine), "head")


def is_current(engine: Engine) -> bool:
    # By reading alone: on SQLite the page that asks may hold the only write lock itself.
    with engine.connect().execution_options(reads_only=True) as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    return revision == ScriptDirectory.from_config(configuration(engine)).get_current_head()
