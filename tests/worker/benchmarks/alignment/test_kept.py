import json
from pathlib import Path
from types import ModuleType

import pytest

from worker.benchmarks.alignment import kept
from worker.benchmarks.alignment.kept import Result, code_of, digest, load, save

RESULT = Result({"wga": 0.5}, {"healthy": 0.5}, chosen="strength 1", seconds=2.5)


def test_what_is_kept_comes_back_whole(tmp_path: Path) -> None:
    save(tmp_path / "0" / "control.json", "made", RESULT)
    assert load(tmp_path / "0" / "control.json", "made") == RESULT
    assert [path.name for path in (tmp_path / "0").iterdir()] == ["control.json"]


def test_a_result_made_with_other_settings_is_none(tmp_path: Path) -> None:
    save(tmp_path / "control.json", "made", RESULT)
    assert load(tmp_path / "control.json", "made otherwise") is None
    assert load(tmp_path / "original.json", "made") is None


def test_a_killed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "control.json"
    save(path, "made", RESULT)
    monkeypatch.setattr(kept.Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(path, "made", Result({"wga": 0.9}))
    assert json.loads(path.read_text())["result"]["figures"] == {"wga": 0.5}


def test_settings_have_the_same_name_whatever_their_order() -> None:
    assert digest({"a": 1, "b": (2, 3)}) == digest({"b": [2, 3], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_code_has_another_name_when_it_does_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(source: str) -> str:
        monkeypatch.setattr(kept.inspect, "getsource", lambda _: source)
        return code_of(ModuleType("any"))

    first = named('"""Adds."""\ndef add(a):\n    """One more."""\n    return a + 1\n')
    assert first == named('"""Adds one."""\n\n\ndef add(a):\n    # Why not two.\n    return a + 1\n')
    assert first != named("def add(a):\n    return a + 2\n")
