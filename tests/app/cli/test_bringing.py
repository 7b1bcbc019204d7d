from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from sqlalchemy import select

from app.db import reading
from app.models import Project
from tests.app.cli.conftest import Done
from tests.dicoms import KNEE_16, NAME, PATIENT, dicom
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


def test_a_folder_of_dicom_files_is_imported_and_stays_as_it_was(
    rightreasons: Command, tmp_path: Path, data_folder: Path
) -> None:
    given = {
        "train/cross/1.2.840.99": dicom(KNEE_16, BurnedInAnnotation="YES"),
        "train/ring/0.DCM": dicom(KNEE_16.T.copy()),
    }
    for path, data in given.items():
        (tmp_path / "shapes" / path).parent.mkdir(parents=True)
        (tmp_path / "shapes" / path).write_bytes(data)
    done = rightreasons("import", "data", str(tmp_path / "shapes"), "--project", "Shapes")
    assert (done.code, "2 images in project Shapes" in done.out) == (0, True)
    assert "of 1 of them that text is written" in " ".join(done.out.split())
    found = {path: path.read_bytes() for path in (tmp_path / "shapes").rglob("*") if path.is_file()}
    assert found == {tmp_path / "shapes" / path: data for path, data in given.items()}
    kept = [path.read_bytes() for path in data_folder.rglob("*") if path.is_file()]
    assert sum(data.startswith(b"\x89PNG") for data in kept) == 2
    assert not [data for data in kept for secret in (NAME, PATIENT) if secret.encode() in data]


def test_a_dicom_file_that_is_not_read_is_told_by_its_path(rightreasons: Command, tmp_path: Path) -> None:
    (tmp_path / "shapes" / "train" / "a").mkdir(parents=True)
    (tmp_path / "shapes" / "train" / "a" / "0.dcm").write_bytes(dicom(np.zeros((4, 4), np.uint32), BitsStored=32))
    done = rightreasons("import", "data", str(tmp_path / "shapes"), "--project", "Shapes")
    assert done.code == 1
    assert "train/a/0.dcm: It is a DICOM file with 32 bits a value" in done.out
    assert lvlms() == []
