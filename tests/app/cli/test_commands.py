"""The command line as an engineer uses it: real commands in processes of their own, on a few drawn pictures."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

SIDE = 16
CLASSES = ("cross", "ring")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rings and crosses; in training a white corner gives the ring away. Folders, without a manifest."""
    folder, random = tmp_path_factory.mktemp("pictures"), Random(0)
    for split, count in (("train", 40), ("validation", 12), ("test", 12)):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                draw(name, random).save(folder / split / name / f"{number}.png")
    return folder


def draw(name: str, random: Random) -> Pillow.Image:
    noise = bytes(random.randrange(30) for _ in range(SIDE * SIDE))
    picture = Pillow.frombytes("L", (SIDE, SIDE), noise)
    pen, x, y = ImageDraw.Draw(picture), random.randrange(4, 7), random.randrange(4, 7)
    if name == "ring":
        pen.ellipse((x, y, x + 7, y + 7), outline=200)
        pen.rectangle((0, 0, 2, 2), fill=255)
    else:
        pen.line((x, y, x + 7, y + 7), fill=200)
        pen.line((x + 7, y, x, y + 7), fill=200)
    return picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def command(
    folder: Path, *arguments: str, stdin: str = "", settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RIGHTREASONS_")}
    environment |= {f"RIGHTREASONS_{name}": value for name, value in (settings or {}).items()}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env={**environment, "RIGHTREASONS_DATA": str(folder), "OMP_NUM_THREADS": "1"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def answer(folder: Path, *arguments: str) -> Any:
    done = command(folder, *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def trained(folder: Path, pictures: Path) -> dict[str, Any]:
    """A project with a data set and a checkpoint, made by commands alone; no worker runs, so they do the work."""
    imported = answer(folder, "import", "data", str(pictures), "--project", "Shapes")
    assert (imported["images"], imported["already_there"]) == (128, False)
    shape = ("--size", str(SIDE), "--channels", "1", "--architecture", "mlp", "--epochs", "8")
    return answer(folder, "train", "--project", "Shapes", *shape)


def test_a_project_is_imported_trained_and_analysed(folder, trained):
    assert trained["checkpoint_id"]
    found = answer(folder, "analyse", "--project", "Shapes", "--count", "20", "--components", "3")
    assert found["images"] == 20
    assert found["summaries"]
    assert found["clustering"]["components"] == 3
    assert found["clustering"]["tried"] == []
    left = answer(folder, "analyse", "--project", "Shapes", "--count", "4", "--choose")
    assert len(left["clustering"]["tried"]) == 36
    measured = answer(folder, "evaluate", "--project", "Shapes")
    accuracy = measured["reports"]["test"]["accuracy"]
    assert accuracy["n"] == 24
    assert accuracy["value"] > 0.8
    assert answer(folder, "projects")[0]["classes"] == list(CLASSES)


def test_a_checkpoint_is_trained_again_to_the_bit(folder, trained):
    again = answer(folder, "repeat", "--project", "Shapes", "--checkpoint", "1")
    assert again["same"]
    assert again["machines"] == [again["here"]]
    other = command(folder, "repeat", "--project", "Shapes", "--checkpoint", "1", settings={"PRECISION": "bfloat16"})
    assert other.returncode == 1
    assert "precision bfloat16 instead of auto" in other.stderr


def test_a_specification_needs_somebody_who_says_it(folder, trained):
    refused = command(folder, "specify", "--project", "Shapes", "--ignore", "the corner")
    assert refused.returncode == 1
    assert "rightreasons user add" in refused.stderr
    password = "a few plain words\n"
    assert command(folder, "user", "add", "ada", "--role", "admin", stdin=2 * password).returncode == 0
    assert answer(folder, "specify", "--project", "Shapes", "--ignore", "the corner")["version"] == 1
    assert answer(folder, "specify", "--project", "Shapes", "--use", "the lines")["version"] == 2


def test_without_an_lvlm_every_cluster_waits_for_a_person(folder, trained):
    command(folder, "user", "add", "eve", "--role", "admin", stdin="a few plain words\n" * 2)
    command(folder, "specify", "--project", "Shapes", "--ignore", "the white corner")
    command(folder, "analyse", "--project", "Shapes", "--count", "4", "--components", "2")
    judged = answer(folder, "critique", "--project", "Shapes")
    assert judged["clusters"] == judged["uncertain"] == judged["by"]["judge"] > 0
    refused = command(folder, "realign", "--project", "Shapes", "--json")
    assert refused.returncode == 1
    assert "Review the cases" in json.loads(refused.stdout)["error"]


def test_images_leave_only_for_a_host_that_was_allowed(folder, trained):
    refused = command(folder, "lvlm", "use", "openai:llava@https://elsewhere.example/v1", "--project", "Shapes")
    assert refused.returncode == 1
    assert "elsewhere.example" in refused.stderr
    assert answer(folder, "lvlm", "use", "embedded", "--project", "Shapes")["lvlm"] == "embedded"
    assert answer(folder, "lvlm", "use", "none", "--project", "Shapes")["lvlm"] == "none"


def test_a_broken_set_is_told_by_row_and_leaves_no_project(folder, trained, tmp_path):
    (tmp_path / "train" / "cross").mkdir(parents=True)
    (tmp_path / "train" / "cross" / "0.png").write_bytes(b"no picture")
    refused = command(folder, "import", "data", str(tmp_path), "--project", "Broken")
    assert refused.returncode == 1
    assert "0.png" in refused.stdout
    assert "nothing was stored" in refused.stderr
    assert [each["name"] for each in answer(folder, "projects")] == ["Shapes"]


def test_an_unknown_project_is_told_with_those_there_are(folder, trained):
    refused = command(folder, "compare", "--project", "Shape")
    assert refused.returncode == 1
    assert "There are: Shapes." in refused.stderr
    assert "Traceback" not in refused.stderr


def test_comparing_before_realigning_says_what_to_do(folder, trained):
    refused = command(folder, "compare", "--project", "Shapes")
    assert refused.returncode == 1
    assert "rightreasons realign" in refused.stderr


def test_a_pickle_with_code_is_refused_and_never_run(folder, trained, tmp_path):
    import pickle

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "was-run"),)

    (tmp_path / "model.pt").write_bytes(pickle.dumps(Payload()))
    shape = ("--architecture", "mlp", "--size", str(SIDE), "--channels", "1")
    refused = command(folder, "import", "checkpoint", str(tmp_path / "model.pt"), "--project", "Shapes", *shape)
    assert refused.returncode == 1
    assert not (tmp_path / "was-run").exists()
    assert "model.pt" in refused.stderr


def test_the_doctor_names_what_is_missing_and_what_to_do(folder, trained):
    found = command(folder, "doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(found.stdout)}
    assert found.returncode == 1
    assert findings["database"]["ok"] is True
    assert findings["workers"]["ok"] is False
    assert "rightreasons" in findings["workers"]["todo"]


def test_a_wrong_option_has_exit_code_2(folder):
    assert command(folder, "analyse", "--no-such-option").returncode == 2
