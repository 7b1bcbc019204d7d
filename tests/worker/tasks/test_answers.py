import logging
import os
from pathlib import Path

import pytest

from worker.tasks.answers import BLOCK, AnswerFolder

PLENTY = 1000 * BLOCK


def key(number: int) -> str:
    return f"{number:064x}"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def aged(folder: AnswerFolder, number: int, seconds: int) -> None:
    os.utime(folder._path(key(number)), (seconds, seconds))


def test_what_is_put_is_got_also_by_another_process(tmp_path: Path) -> None:
    AnswerFolder(tmp_path, PLENTY).put(key(1), b"one")
    assert AnswerFolder(tmp_path, PLENTY).get(key(1)) == b"one"
    assert AnswerFolder(tmp_path, PLENTY).get(key(2)) is None


def test_an_entry_is_replaced_whole_and_no_draft_is_left(tmp_path: Path) -> None:
    folder = AnswerFolder(tmp_path, PLENTY)
    folder.put(key(1), b"a long answer")
    folder.put(key(1), b"short")
    assert folder.get(key(1)) == b"short"
    assert len(files(tmp_path)) == 1


def test_the_oldest_go_first_and_the_folder_stays_within_its_limit(tmp_path: Path) -> None:
    folder = AnswerFolder(tmp_path, 100 * BLOCK)
    for number in range(300):
        folder.put(key(number), b"answer")
        aged(folder, number, number)
        assert len(files(tmp_path)) <= 103
    kept = {int(path.name, 16) for path in files(tmp_path)}
    assert kept == set(range(300 - len(kept), 300))
    assert len(kept) >= 97


def test_large_entries_count_by_their_size(tmp_path: Path) -> None:
    folder = AnswerFolder(tmp_path, 10 * BLOCK)
    for number in range(6):
        folder.put(key(number), b"x" * (3 * BLOCK))
        aged(folder, number, number)
    assert [path.name for path in files(tmp_path)] == [key(number) for number in (3, 4, 5)]


def test_what_others_wrote_and_drafts_of_killed_writers_count_too(tmp_path: Path) -> None:
    other = AnswerFolder(tmp_path, PLENTY)
    for number in range(20):
        other.put(key(number), b"answer")
        aged(other, number, number)
    draft = tmp_path / "00" / f"{key(0)}.draft"
    draft.write_bytes(b"half")
    os.utime(draft, (0, 0))
    folder = AnswerFolder(tmp_path, 10 * BLOCK)
    folder.put(key(99), b"answer")
    assert len(files(tmp_path)) <= 10
    assert not draft.exists()
    assert folder.get(key(99)) == b"answer"


def test_a_folder_that_cannot_be_written_keeps_nothing_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    folder = AnswerFolder(blocked, PLENTY)
    with caplog.at_level(logging.WARNING):
        folder.put(key(1), b"answer")
    assert folder.get(key(1)) is None
    assert "was not kept" in caplog.text
