import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from app.audit.acting import name_at_the_machine
from app.db import engine, transaction
from tests.app.cli.conftest import Done
from tests.factories import add_project

Command = Callable[..., Done]


@pytest.fixture
def log(sqlite: None) -> None:
    with transaction() as session:
        add_project(session)


def test_a_whole_chain_is_told_with_its_head(rightreasons: Command, log: None) -> None:
    done = rightreasons("audit", "verify")
    assert done.code == 0
    assert "each of the 3 entries follows" in done.out
    found = rightreasons("audit", "verify", "--json").document
    assert found["entries"] == 3
    assert found["head"] in done.out


def test_a_hash_that_was_noted_shows_whether_the_end_was_cut_off(rightreasons: Command, log: None) -> None:
    noted = rightreasons("audit", "verify", "--json").document["head"]
    assert rightreasons("audit", "verify", "--head", noted, "--json").document["kept"] == 3
    with engine().begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entry_is_not_removed"))
        connection.execute(text("DELETE FROM audit_entry WHERE number = 3"))
    assert rightreasons("audit", "verify").code == 0
    cut = rightreasons("audit", "verify", "--head", noted)
    assert cut.code == 1
    assert "cut off" in cut.err


def test_the_first_broken_entry_is_told_and_the_exit_code_says_so(rightreasons: Command, log: None) -> None:
    with engine().begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entry_is_not_changed"))
        connection.execute(text("UPDATE audit_entry SET after = '{}' WHERE number = 2"))
    broken = rightreasons("audit", "verify")
    assert broken.code == 1
    assert broken.err.startswith("Entry 2 is not what was written")
    document = rightreasons("audit", "verify", "--json").document
    assert (document["broken"], document["entries"]) == (2, 1)


def test_the_log_is_written_to_a_file_and_that_is_in_it(rightreasons: Command, log: None, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    done = rightreasons("audit", "export", str(file), "--json")
    assert done.document == {"file": str(file), "entries": 4}
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3, 4]
    assert (lines[-1]["action"], lines[-1]["actor"], lines[-1]["who"]) == ("exported", "command", name_at_the_machine())
    assert lines[-1]["after"] == {"file": str(file)}
    assert list(tmp_path.glob("log.jsonl*")) == [file]


def test_a_folder_that_is_not_there_is_told(rightreasons: Command, log: None, tmp_path: Path) -> None:
    done = rightreasons("audit", "export", str(tmp_path / "nowhere" / "log.jsonl"))
    assert done.code == 1
    assert done.err.startswith("The system refused")
