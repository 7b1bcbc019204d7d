from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow
from sqlalchemy import select

from app.db import reading
from app.models import Project
from tests.app.cli.conftest import Done
from worker.benchmarks.own_database import forget_settings

Command = Callable[..., Done]


@pytest.fixture
def import_shapes(rightreasons: Command, tmp_path: Path) -> Command:
    """Imports two pictures as the project Shapes, with these options besides."""
    for name in ("cross", "ring"):
        folder = tmp_path / "shapes" / "train" / name
        folder.mkdir(parents=True)
        Pillow.new("L", (16, 16), len(name)).save(folder / "0.png")
    return lambda *options: rightreasons("import", "data", str(tmp_path / "shapes"), "--project", "Shapes", *options)


def lvlms() -> list[str]:
    with reading() as session:
        return list(session.scalars(select(Project.lvlm)))


def test_an_imported_project_gets_the_lvlm_of_the_settings(
    import_shapes: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTREASONS_LVLM", "transformers:/models/llava")
    forget_settings()
    assert import_shapes("--json").document["images"] == 2
    assert lvlms() == ["transformers:/models/llava"]


def test_an_imported_project_gets_the_lvlm_that_was_named(import_shapes: Command) -> None:
    assert import_shapes("--lvlm", "embedded").code == 0
    assert lvlms() == ["embedded"]


def test_a_project_with_an_lvlm_that_there_can_not_be_is_not_made(import_shapes: Command) -> None:
    refused = import_shapes("--lvlm", "llava")
    assert (refused.code, refused.err.startswith("llava is none of: none, embedded")) == (1, True)
    assert lvlms() == []


def test_the_doctor_tells_of_an_lvlm_that_new_projects_can_not_get(
    rightreasons: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTREASONS_LVLM", "openai:m@https://elsewhere.example/v1")
    forget_settings()
    findings = {finding["name"]: finding for finding in rightreasons("doctor", "--json").document}
    assert "elsewhere.example, which is not allowed" in findings["LVLM"]["found"]
