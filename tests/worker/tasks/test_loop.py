"""Once round the loop through the real stages, on a few real digits; the critic's word is replaced by people's."""

import shutil
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.db import now, reading, transaction
from app.models import (
    Answer,
    Checkpoint,
    Cluster,
    Critique,
    Dataset,
    Epoch,
    Explanation,
    Image,
    Kind,
    Origin,
    Project,
    Report,
    Review,
    Role,
    Run,
    Specification,
    Split,
    State,
    User,
    Verdict,
    VerdictValue,
)
from app.models.figures import Figures
from app.runs.actions import start_run
from app.runs.parameters import (
    AnalysisParameters,
    CritiqueParameters,
    EvaluationParameters,
    ImportParameters,
    Input,
    Parameters,
    RealignmentParameters,
    RegistrationParameters,
    TrainingParameters,
)
from app.storage import storage
from worker.datasets.digits import write_folder
from worker.tasks.here import run_here

DIGITS = Input(size=28, channels=1, mean=(0.0,), std=(1.0,))


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every second training digit and every fifth of the others: enough to learn the shortcut, quick to read."""
    whole, few = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("few")
    write_folder(whole, seed=0)
    lines = (whole / "manifest.csv").read_text().splitlines()
    training, others = [[x for x in lines[1:] if (",train," in x) is is_train] for is_train in (True, False)]
    kept = training[::2] + others[::5]
    (few / "manifest.csv").write_text("\n".join([lines[0], *kept]) + "\n")
    for line in kept:
        for path in (line.split(",")[0], line.split(",")[-1]):
            (few / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(whole / path, few / path)
    return few


def project() -> UUID:
    with transaction() as session:
        made = Project(name="Digits", group_by=["decoy"])
        session.add(made)
        session.flush()
        return made.id


def done(project_id: UUID, parameters: Parameters) -> Run:
    with transaction() as session:
        run_id = start_run(session, project_id, parameters).id
    run_here(run_id)
    with reading() as session:
        run = session.get_one(Run, run_id)
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    return run


def judged_by_truth(project_id: UUID, analysis: UUID) -> UUID:
    """A critique whose verdicts are the true masks', as a perfect judge would have given them."""
    with transaction() as session:
        specification = Specification(project_id=project_id, version=1)
        session.add(specification)
        session.flush()
        parameters = CritiqueParameters(analysis_id=analysis, specification_id=specification.id)
        run = start_run(session, project_id, parameters)
        run.state, run.finished_at = State.SUCCEEDED, now()
        for explanation in session.scalars(select(Explanation).where(Explanation.run_id == analysis)).all():
            clusters = session.scalars(select(Cluster).where(Cluster.explanation_id == explanation.id)).all()
            verdicts = [
                Verdict(cluster_id=c.id, p_spurious=c.truth or 0, value=VerdictValue.SPURIOUS)
                if (c.truth or 0) > 0.5
                else Verdict(cluster_id=c.id, p_spurious=c.truth or 0, value=VerdictValue.RELEVANT)
                for c in clusters
            ]
            session.add(
                Critique(
                    run_id=run.id,
                    explanation_id=explanation.id,
                    specification_id=specification.id,
                    lvlm="truth",
                    text="",
                    verdicts=verdicts,
                )
            )
        return run.id


def figures_of(checkpoint: UUID) -> Figures:
    with reading() as session:
        statement = select(Report).where(Report.checkpoint_id == checkpoint, Report.split == Split.TEST)
        report = session.scalars(statement.order_by(Report.created_at.desc())).first()
    assert report is not None
    return Figures.model_validate(report.figures)


@pytest.mark.usefixtures("sqlite")
def test_the_loop_takes_a_model_away_from_its_shortcut(few_digits):
    project_id = project()
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
        assert session.scalar(select(func.count()).select_from(Epoch).where(Epoch.run_id == realigned.id)) == 24
        origins = set(session.scalars(select(Checkpoint.origin)))
    assert origins == {Origin.TRAINED, Origin.REALIGNED, Origin.CONTROL}


@pytest.mark.usefixtures("sqlite")
def test_a_data_set_imported_twice_makes_no_double(few_digits):
    project_id = project()
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
    project_id = project()
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
    project_id = project()
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
    project_id = project()
    done(project_id, ImportParameters(name="digits", path=str(few_digits)))
    training = TrainingParameters(name="mlp", architecture="mlp", input=DIGITS, epochs=3)
    in_parts = UUID(done(project_id, training).result["checkpoint_id"])
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1e12)
    at_once = UUID(done(project_id, training).result["checkpoint_id"])
    with reading() as session:
        assert session.get_one(Checkpoint, in_parts).weights == session.get_one(Checkpoint, at_once).weights


@pytest.mark.usefixtures("sqlite")
def test_without_an_lvlm_peoples_words_alone_realign_a_model(few_digits):
    project_id = project()
    done(project_id, ImportParameters(name="digits", path=str(few_digits)))
    training = TrainingParameters(name="mlp", architecture="mlp", input=DIGITS, epochs=4)
    original = UUID(done(project_id, training).result["checkpoint_id"])
    analysis = done(project_id, AnalysisParameters(checkpoint_id=original, count=20, strategy="random"))
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
