"""What a run leads to by itself: images to the checkpoint that was brought along, and that to its explanation."""

from uuid import UUID

from sqlalchemy.orm import Session

from app.models import Kind, Run
from app.runs.actions import start_run
from app.runs.parameters import AnalysisParameters, ImportParameters, RegistrationParameters, Strategy

FEW_CLASSES = 2  # of more, the surest pictures may all be of one class


def follow_import(session: Session, run: Run) -> None:
    """To be called with a run that has just succeeded, in the transaction that says so."""
    if run.kind is Kind.IMPORT:
        brought = ImportParameters.model_validate(run.parameters)
        if brought.checkpoint is not None and not brought.preview:
            start_run(session, run.project_id, brought.checkpoint, run.created_by_id)
    elif run.kind is Kind.REGISTRATION:
        registered = RegistrationParameters.model_validate(run.parameters)
        if registered.analyse:
            strategy: Strategy = "low_entropy" if len(registered.classes) <= FEW_CLASSES else "low_entropy_per_class"
            asked = AnalysisParameters(checkpoint_id=UUID(run.result["checkpoint_id"]), strategy=strategy)
            start_run(session, run.project_id, asked, run.created_by_id)
