"""Once round the loop through the real stages, on a few real digits; the critic's word is replaced by people's."""

import shutil
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.db import reading, transaction
from app.models import (
    Answer,
    Checkpoint,
    Cluster,
    Dataset,
    Epoch,
    Image,
    Kind,
    Origin,
    Review,
    Role,
    Run,
    Specification,
    State,
    User,
    Verdict,
    VerdictValue,
)
from app.runs.actions import start_run
from app.runs.parameters import (
    AnalysisParameters,
    CritiqueParameters,
    EvaluationParameters,
    ImportParameters,
    Input,
    RealignmentParameters,
    RegistrationParameters,
    TrainingParameters,
)
from app.storage import storage
from tests.digits import write_some_digits
from tests.loop import done, figures_of, judged_by_truth, new_project
from worker.tasks.here import run_here

DIGITS = Input(size=28, channels=1, mean=(0.0,), std=(1.0,))


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    write_some_digits(folder, every_training=2, every_other=5)
    return folder


@pytest.mark.usefixtures("sqlite")
def test_the_loop_takes_a_model_away_from_its_shortcut(few_digits):
    project_id = new_project("decoy")
    imported = done(project_id, ImportParameters(name="digits", path=str(few_digits)))
    assert imported.result["images"] > 1000
    training = TrainingParameters(name="mlp", architecture="mlp", input=DIGITS, epochs=30)
    original = UUID(done(project_id, training).result["checkpoint_id"])
    analysis = done(project_id, AnalysisParameters(checkpoint_id=original, count=150, strategy="random"))
    assert analysis.result["summaries"]
    assert set(analysis.result["sampling"]) == {"low_entropy", "low_entropy_per_class", "random", "high_entropy"}
    critique = judged_by_truth(project_id, analysis.id)
    realigned = done(project_id, RealignmentParameters(critique_id=critique, epochs=12))
    before, after = figures_of(original), figures_of(UUID(realigned.result["checkpoint_id"]))
    control = figures_of(UUID(realigned.result["control_id"]))
    assert after.accuracy.value > before.accuracy.value + 0.05
    assert after.accuracy.value > control.accuracy.value
    assert after.mu_align.value > before.mu_align.value
    flips = {s.operation: s.flipped.value for s in after.settling if s.regions == "true masks"}
    flips_before = {s.operation: s.flipped.value for s in before.settling if s.regions == "true masks"}
    assert flips["move"] < flips_before["move"]
    assert after.accuracy.n == before.accuracy.n > 150
    with reading() as session:
        trained, delivered = realigned.result["guard"]["trained"], realigned.result["guard"]["epoch"]
        epochs = session.scalar(select(func.count()).select_from(Epoch).where(Epoch.run_id == realigned.id))
        assert epochs == trained + delivered <= 24
        origins = set(session.scalars(select(Checkpoint.origin)))
    assert origins == {Origin.TRAINED, Origin.REALIGNED, Origin.CONTROL}


@pytest.mark.usefixtures("sqlite")
def test_a_data_set_imported_twice_makes_no_double(few_digits):
    project_id = new_project("decoy")
    done(project_id, ImportParameters(name="digits", path=str(few_digits)))
    again = done(project_id, ImportParameters(name="digits again", path=str(few_digits)))
    assert again.result["already_there"] is True
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Dataset)) == 1


@pytest.mark.usefixtures("sqlite")
def test_a_broken_data_set_leaves_nothing_behind(few_digits, tmp_path, data_folder):
    broken = tmp_path / "broken"
    shutil.copytree(few_digits, broken)
    next((broken / "images").glob("**/*.png")).write_bytes(b"no picture")
    project_id = new_project("decoy")
    with transaction() as session:
        run_id = start_run(session, project_id, ImportParameters(name="digits", path=str(broken))).id
    run_here(run_id)
    with reading() as session:
        run = session.get_one(Run, run_id)
        assert session.scalar(select(func.count()).select_from(Image)) == 0
    assert run.state is State.FAILED
    assert run.result["problem_count"] == 1
    assert run.result["problems"][0]["path"].endswith(".png")
    assert not list((data_folder / "blobs").glob("**/*"))


@pytest.mark.usefixtures("sqlite")
def test_a_checkpoint_comes_in_with_its_classes_in_another_order(few_digits):
    project_id = new_project("decoy")
    done(project_id, ImportParameters(name="digits", path=str(few_digits)))
    training = TrainingParameters(name="mlp", architecture="mlp", input=DIGITS, epochs=2)
    first = UUID(done(project_id, training).result["checkpoint_id"])
    with reading() as session:
        weights = session.get_one(Checkpoint, first).weights
    registration = RegistrationParameters(
        name="from elsewhere",
        architecture="mlp",
        input=DIGITS,
        classes=tuple("9876543210"),
        weights=storage().put(storage().get(weights)),
        filename="model.safetensors",
    )
    done(project_id, registration)
    with reading() as session:
        statement = select(Checkpoint.id).where(Checkpoint.origin == Origin.IMPORTED)
        second = session.scalars(statement).one()
    # The same weights read as answers in the opposite order are right where the mirrored class is meant.
    assert figures_of(second).accuracy.value < 0.3 < figures_of(first).accuracy.value
    again = done(project_id, EvaluationParameters(checkpoint_ids=(first, second), splits=("test",)))
    assert again.kind is Kind.EVALUATION


@pytest.mark.usefixtures("sqlite")
def test_a_training_that_was_cut_off_ends_like_an_unbroken_one(few_digits, monkeypatch):
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1.0)
    project_id = new_project("decoy")
    done(project_id, ImportParameters(name="digits", path=str(few_digits)))
    training = TrainingParameters(name="mlp", architecture="mlp", input=DIGITS, epochs=3)
    in_parts = UUID(done(project_id, training).result["checkpoint_id"])
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1e12)
    at_once = UUID(done(project_id, training).result["checkpoint_id"])
    with reading() as session:
        assert session.get_one(Checkpoint, in_parts).weights == session.get_one(Checkpoint, at_once).weights


@pytest.mark.usefixtures("sqlite")
def test_without_an_lvlm_peoples_words_alone_realign_a_model(few_digits):
    project_id = new_project("decoy")
    done(project_id, ImportParameters(name="digits", path=str(few_digits)))
    training = TrainingParameters(name="mlp", architecture="mlp", input=DIGITS, epochs=4)
    original = UUID(done(project_id, training).result["checkpoint_id"])
    analysis = done(project_id, AnalysisParameters(checkpoint_id=original, count=40, strategy="low_entropy_per_class"))
    with transaction() as session:
        session.add(specification := Specification(project_id=project_id, version=1))
        session.flush()
        session.add(reader := User(name="ada", display_name="", role=Role.CLINICIAN, password_hash="", session_key=""))
    critique = done(project_id, CritiqueParameters(analysis_id=analysis.id, specification_id=specification.id)).id
    with transaction() as session:
        assert set(session.scalars(select(Verdict.value))) == {VerdictValue.UNCERTAIN}
        square = session.scalars(select(Cluster).where(Cluster.truth > 0.5)).all()
        for cluster in square:
            said = {"cluster_id": cluster.id, "user_id": reader.id, "run_id": critique, "blind": True}
            session.add(Review(answer=Answer.SPURIOUS, **said))
    realigned = done(project_id, RealignmentParameters(critique_id=critique, epochs=1, control=False))
    assert realigned.result["spurious_clusters"] == len(square) > 0
