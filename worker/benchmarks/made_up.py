"""Rows that nothing was computed for, as a benchmark and the tests need them: runs that ran, checkpoints."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import now
from app.models import Checkpoint, Kind, Origin, Project, Run, State, User
from app.models.figures import Estimate, Figures, Group, Settling
from app.runs.parameters import Parameters, TrainingParameters
from app.statistics import wilson
from app.storage import storage


def add_run(
    session: Session,
    project: Project,
    parameters: Parameters,
    kind: Kind,
    user: User | None = None,
    state: State = State.SUCCEEDED,
) -> Run:
    """A run as it stands in the database; no message is sent."""
    at = now()
    run = Run(
        project_id=project.id,
        kind=kind,
        parameters=parameters.model_dump(mode="json"),
        state=state,
        created_by_id=user.id if user else None,
        created_at=at,
        started_at=None if state is State.QUEUED else at,
        stage_started_at=None if state is State.QUEUED else at,
        heartbeat_at=None if state is State.QUEUED else at,
        finished_at=at if state.is_final else None,
        result={},
    )
    session.add(run)
    session.flush()
    return run


def add_checkpoint(
    session: Session,
    project: Project,
    origin: Origin = Origin.TRAINED,
    parent: Checkpoint | None = None,
    run: Run | None = None,
    name: str = "small_cnn",
    *,
    weights: bytes = b"no weights",
    size: int = 96,
) -> Checkpoint:
    """The project's next one. size: pixels a side."""
    taken = select(func.count()).select_from(Checkpoint).where(Checkpoint.project_id == project.id)
    checkpoint = Checkpoint(
        project_id=project.id,
        number=1 + (session.scalar(taken) or 0),
        name=name,
        origin=origin,
        parent_id=parent.id if parent else None,
        run_id=run.id if run else None,
        architecture="small_cnn",
        weights=storage().put(weights),
        size=size,
        channels=1,
        mean=[0.5],
        std=[0.5],
        attribution="deeplift_shap",
        completeness_error=1e-6,
        attribution_reason="DeepLIFT SHAP is complete on this architecture.",
    )
    session.add(checkpoint)
    session.flush()
    return checkpoint


def figures_of(accuracy: Estimate, classes: Sequence[str]) -> Figures:
    """Figures in which every group has the same accuracy; each class has a letter in one of its two groups."""
    groups = [
        Group(name=f"{name}, letter {letter}", class_name=name, attributes={"letter": letter}, accuracy=accuracy)
        for name in classes
        for letter in ("absent", "present")
    ]
    return Figures(
        accuracy=accuracy,
        groups=groups,
        worst_group=accuracy,
        worst_group_name=groups[0].name,
        average_of_groups=accuracy,
        mu_align=Estimate(missing="no true masks are known for these images"),
        evidence_on_spurious=wilson(20, 100),
        settling=[
            Settling(operation=operation, regions="spurious clusters", flipped=wilson(10, 100), change=0.1)
            for operation in ("remove", "add", "cover", "move")
        ],
    )


def training_parameters(size: int) -> TrainingParameters:
    form = {"size": size, "channels": 1, "mean": (0.5,), "std": (0.5,)}
    return TrainingParameters.model_validate({"name": "small_cnn", "architecture": "small_cnn", "input": form})
