"""A project with two dozen drawn pictures and a real small model, in which a run takes a second."""

from uuid import UUID

from sqlalchemy import select

from app.db import reading, transaction
from app.models import Checkpoint, Dataset, Project, Run, Split
from app.runs.actions import start_run
from app.runs.parameters import Input, Parameters, TrainingParameters
from tests import factories
from tests.drawn import INPUT
from worker.tasks.here import run_here


def add_project() -> Project:
    with transaction() as session:
        project = factories.add_project(session, lvlm="none")
        factories.add_images(session, project, per_class=6)
    return project


def training(size: int = INPUT, epochs: int = 2, learning_rate: float = 1e-3) -> TrainingParameters:
    form = Input(size=size, channels=1, mean=(0.5,), std=(0.5,))
    return TrainingParameters(
        name="mlp", architecture="mlp", input=form, epochs=epochs, learning_rate=learning_rate, batch_size=4
    )


def start(project: Project, parameters: Parameters) -> UUID:
    with transaction() as session:
        return start_run(session, project.id, parameters).id


def run_of(run_id: UUID) -> Run:
    with reading() as session:
        return session.get_one(Run, run_id)


def ended(project: Project, parameters: Parameters) -> Run:
    """A run that was started and done, whether it succeeded or not."""
    run_id = start(project, parameters)
    run_here(run_id)
    return run_of(run_id)


def add_checkpoint(project: Project, size: int = INPUT) -> UUID:
    """Trained for two epochs."""
    return UUID(ended(project, training(size)).result["checkpoint_id"])


def add_critique(project: Project, checkpoint_id: UUID, specified_by: str = "ada") -> UUID:
    """Of drawn explanations of all training pictures; the letters in the corners are judged spurious."""
    with transaction() as session:
        checkpoint = session.get_one(Checkpoint, checkpoint_id)
        dataset = session.scalars(select(Dataset).where(Dataset.project_id == project.id)).first()
        assert dataset is not None
        images = factories.images_of(session, dataset, Split.TRAIN)
        analysis = factories.add_analysis(session, project, checkpoint, images)
        user = factories.add_user(session, specified_by)
        specification = factories.add_specification(session, project, user)
        explanations = factories.explanations_of(session, analysis)
        return factories.add_critique(session, project, analysis, specification, explanations, user).id
