import json
from pathlib import Path
from types import ModuleType

import pytest

from worker.benchmarks.alignment import kept
from worker.benchmarks.alignment.kept import Kept, Result, add, code_of, digest, load

CONTROL = Kept(0, "control", "made", Result({"wga": 0.5}, {"healthy": 0.5}, chosen="strength 1", seconds=2.5))
OTHER = Kept(1, "original", "made otherwise", Result(impossible="no groups"))


def test_what_is_kept_comes_back_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "knees.jsonl"
    assert load(path) == []
    add(path, CONTROL)
    add(path, OTHER)
    assert load(path) == [CONTROL, OTHER]
    assert len(path.read_text().splitlines()) == 2


def test_a_line_from_before_devices_were_kept_is_a_processors(tmp_path: Path) -> None:
    path = tmp_path / "knees.jsonl"
    add(path, CONTROL)
    held = json.loads(path.read_text())
    del held["device"]
    path.write_text(json.dumps(held) + "\n")
    assert load(path) == [CONTROL]
    assert CONTROL.device == "cpu"


@pytest.mark.parametrize("left", ["{", '{"seed": 0, "arm": "con'])
def test_what_a_killed_write_left_costs_no_other_line(tmp_path: Path, left: str) -> None:
    path = tmp_path / "knees.jsonl"
    add(path, CONTROL)
    with path.open("a") as file:
        file.write(left)
    assert load(path) == [CONTROL]
    add(path, OTHER)
    assert load(path) == [CONTROL, OTHER]


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


def test_every_python_gives_code_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    source = 'class Any(dict):\n    async def add(self, a=()):\n        return f"{a!r:>3}" if a else lambda: None\n'
    monkeypatch.setattr(kept.inspect, "getsource", lambda _: source)
    assert code_of(ModuleType("any")) == "d77e78d7dea3"  # as Python 3.11 named it
