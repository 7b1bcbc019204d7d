"""The lists of what the audit log tells are complete, and nothing goes round the sessions that it listens to."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import LargeBinary

from app import models
from app.audit.scope import BULK, DIGESTED, NOT_TOLD, SECRETS, TABLES, Told
from app.db import Base

ROOT = Path(__file__).parent.parent.parent.parent
BULK_VERBS = {"insert", "update", "delete"}
# Where a connection is used without a session, or SQL is written as text: none of it changes what the log tells of.
BESIDE_SESSIONS = {
    "app/db.py": "BEGIN; the connection of a session that only reads",
    "app/main.py": "SELECT 1",
    "app/migrations.py": "reads the revision",
    "app/audit/recording.py": "writes the log itself",
    "app/audit/chain.py": "writes the log itself",
    "worker/benchmarks/pages.py": "a database of the benchmark's own",
    "worker/benchmarks/large_project.py": "a database of the benchmark's own",
}
TABLES_BY_MODEL = {mapper.class_.__name__: mapper.local_table.name for mapper in Base.registry.mappers}


def trees() -> Iterator[tuple[str, ast.Module]]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "app/*.py", "worker/*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for path in listed:
        yield path, ast.parse((ROOT / path).read_text())


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node


def test_every_table_is_told_or_it_says_why_not():
    assert set(TABLES) == set(Base.metadata.tables)
    assert all(why for how, why in TABLES.values() if how is not Told.ROW_BY_ROW)


def test_every_statement_that_changes_rows_without_loading_them_is_listed():
    found = {
        (path, name, ast.unparse(call.args[0]))
        for path, tree in trees()
        for name, call in calls(tree)
        if name in BULK_VERBS and isinstance(call.func, ast.Name) and call.args
    }
    beside = {each for each in found if each[0] in BESIDE_SESSIONS}
    assert found - beside == set(BULK)
    told = {TABLES[TABLES_BY_MODEL[model]][0] for (_, _, model), why in BULK.items() if why.startswith("counted")}
    assert told == {Told.COUNTED}


def test_nothing_is_written_beside_the_sessions():
    ways = {"bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings", "exec_driver_sql", "connection"}
    found = {
        path
        for path, tree in trees()
        for name, call in calls(tree)
        if name in ways or (name == "text" and isinstance(call.func, ast.Name)) or is_engine_s(name, call)
    }
    assert found - {"app/supervisor.py", "worker/tasks/sweep.py"} <= set(BESIDE_SESSIONS)


def is_engine_s(name: str, call: ast.Call) -> bool:
    return name in {"begin", "connect"} and "engine()" in ast.unparse(call.func)


def test_the_lists_name_columns_that_there_are():
    for listed in (NOT_TOLD, SECRETS, DIGESTED):
        for table, columns in listed.items():
            assert columns <= set(Base.metadata.tables[table].columns.keys())


def test_every_column_that_sounds_like_a_secret_is_one_that_is_not_shown():
    sounding = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if any(word in column.name for word in ("password", "secret", "hash", "session_key", "token", "salt"))
        and not column.foreign_keys
    }
    # Names of tables in the log itself, and how many words an LVLM read, are none.
    assert sounding - {("audit_entry", "hash"), ("audit_entry", "token_id")} == {
        (table, column) for table, columns in SECRETS.items() for column in columns
    }


def test_no_table_holds_blobs():
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]
    assert not [column for column in columns if isinstance(column.type, LargeBinary)]
    assert models.AuditEntry.__tablename__ in TABLES
