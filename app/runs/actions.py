"""Starting, cancelling and ending runs."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import now
from app.models import Kind, Project, Run, State
from app.queue import CPU, enqueue
from app.runs.leftovers import forget_leftovers
from app.runs.parameters import (
    AnalysisParameters,
    CalibrationParameters,
    CheckParameters,
    ConsensusParameters,
    CritiqueParameters,
    EvaluationParameters,
    ExportParameters,
    HoneypotParameters,
    ImportParameters,
    Parameters,
    RealignmentParameters,
    RegistrationParameters,
    TrainingParameters,
    TrialParameters,
)
from app.trust.lock import at_start

PARAMETERS: dict[Kind, type[Parameters]] = {
    Kind.IMPORT: ImportParameters,
    Kind.REGISTRATION: RegistrationParameters,
    Kind.TRAINING: TrainingParameters,
    Kind.ANALYSIS: AnalysisParameters,
    Kind.CRITIQUE: CritiqueParameters,
    Kind.CALIBRATION: CalibrationParameters,
    Kind.TRIAL: TrialParameters,
    Kind.CONSENSUS: ConsensusParameters,
    Kind.REALIGNMENT: RealignmentParameters,
    Kind.EVALUATION: EvaluationParameters,
    Kind.CHECK: CheckParameters,
    Kind.HONEYPOT: HoneypotParameters,
    Kind.EXPORT: ExportParameters,
}
BEGIN = "worker.tasks.begin"


def start_run(session: Session, project_id: UUID, parameters: Parameters, user_id: UUID | None = None) -> Run:
    """Adds a queued run of the kind that the parameters are for; its message leaves after the commit.

    Raises LockedError for a realignment that the project's trust bar locks.
    """
    run = Run(
        project_id=project_id,
        kind=kind_of(parameters),
        parameters=parameters.model_dump(mode="json"),
        created_by_id=user_id,
        result=at_start(session, project_id, parameters, user_id),
    )
    session.add(run)
    session.flush()
    enqueue(session, BEGIN, str(run.id), queue=CPU)
    return run


def kind_of(parameters: Parameters) -> Kind:
    return next(kind for kind, model in PARAMETERS.items() if isinstance(parameters, model))


def start_once(session: Session, project_id: UUID, parameters: Parameters, user_id: UUID | None = None) -> Run:
    """As ``start_run``, but what is asked in the same words while it is under way is not started twice."""
    # Two requests at once must not both find nothing under way.
    session.execute(select(Project.id).where(Project.id == project_id).with_for_update())
    under_way = select(Run).where(
        Run.project_id == project_id,
        Run.kind == kind_of(parameters),
        Run.state.in_([State.QUEUED, State.RUNNING]),
        ~Run.cancel_requested,
    )
    asked = parameters.model_dump(mode="json")
    same = next((run for run in session.scalars(under_way) if run.parameters == asked), None)
    return same or start_run(session, project_id, parameters, user_id)


def cancel_run(session: Session, run: Run) -> None:
    """Asks the run to stop; a queued one stops at once, a running one after what it is doing, and keeps it."""
    session.refresh(run, with_for_update=True)  # a worker may have ended it since it was read
    if run.state.is_final:
        return
    run.cancel_requested = True
    if run.state is State.QUEUED:
        end_run(session, run, State.CANCELLED)
    session.flush()


def end_run(session: Session, run: Run, state: State, error: str = "", details: str = "") -> None:
    run.state, run.finished_at, run.error, run.error_details = state, now(), error, details
    forget_leftovers(session, run)
