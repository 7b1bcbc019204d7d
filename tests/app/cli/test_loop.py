"""The second half of the loop, on drawn pictures: no worker runs, so that the commands do the work themselves."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db import reading
from app.models import Checkpoint, Origin
from app.storage import storage
from tests.app.cli.conftest import Done
from tests.drawn import INPUT
from tests.worker.tasks import small


@pytest.fixture
def checkpoint(sqlite: None) -> UUID:
    """Of the project Knees, whose letters were judged spurious."""
    project = small.add_project()
    made = small.add_checkpoint(project)
    small.add_critique(project, made)
    return made


def origins() -> list[Origin]:
    with reading() as session:
        return list(session.scalars(select(Checkpoint.origin).order_by(Checkpoint.number)))


@pytest.mark.usefixtures("checkpoint")
def test_a_checkpoint_is_realigned_and_compared(rightreasons: Callable[..., Done]) -> None:
    done = rightreasons("realign", "--project", "Knees", "--epochs", "1", "--json")
    assert done.code == 0, done.out + done.err
    assert done.document["spurious_clusters"] > 0
    assert origins() == [Origin.TRAINED, Origin.REALIGNED, Origin.CONTROL]
    compared = rightreasons("compare", "--project", "Knees", "--json").document
    assert {name: compared[name]["accuracy"]["n"] for name in ("before", "control", "after")} == {
        "before": 12,
        "control": 12,
        "after": 12,
    }


def test_a_checkpoint_comes_in_from_a_file(checkpoint: UUID, rightreasons: Callable[..., Done], tmp_path: Path) -> None:
    with reading() as session:
        weights = session.get_one(Checkpoint, checkpoint).weights
    (tmp_path / "model.safetensors").write_bytes(storage().get(weights))
    shape = ("--architecture", "mlp", "--size", str(INPUT), "--channels", "1", "--mean", "0.5", "--std", "0.5")
    done = rightreasons("import", "checkpoint", str(tmp_path / "model.safetensors"), "--project", "Knees", *shape)
    assert (done.code, "The checkpoint is in project Knees." in done.out) == (0, True), done.err
    assert origins() == [Origin.TRAINED, Origin.IMPORTED]


@pytest.mark.usefixtures("checkpoint")
def test_the_judges_probabilities_are_compared_with_the_answers_there_are(rightreasons: Callable[..., Done]) -> None:
    done = rightreasons("reliability", "--project", "Knees", "--json")
    assert done.code == 0, done.out + done.err
    assert (done.document["answered"], done.document["thresholds"]["target"]) == (0, 0.05)
    told = rightreasons("reliability", "--project", "Knees", "--target-error", "0.1").out
    assert "At least 26 reviewed" in told
    refused = rightreasons("reliability", "--project", "Knees", "--target-error", "0.5")
    assert (refused.code, "lies between 0 and 0.5" in refused.err) == (1, True)


@pytest.mark.parametrize("between", [("0.7", "0.3"), ("-1", "0.5"), ("0.5", "2")])
@pytest.mark.usefixtures("checkpoint")
def test_thresholds_that_make_no_sense_start_no_critique(
    rightreasons: Callable[..., Done], between: tuple[str, str]
) -> None:
    done = rightreasons("critique", "--project", "Knees", "--uncertain-from", between[0], "--uncertain-to", between[1])
    assert (done.code, "the lower one first" in done.err) == (1, True)
