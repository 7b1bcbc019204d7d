"""Whether what a run is asked to work on is there and its project's: an identifier from elsewhere must not slip in."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.decisions.approval import NotApprovedError, approval_of
from app.languages.catalogue import gettext
from app.languages.stored import stored
from app.models import Checkpoint, Explanation, Kind, Run, Specification, State, TargetClass
from app.runs.parameters import (
    AnalysisParameters,
    CalibrationParameters,
    ConsensusParameters,
    CritiqueParameters,
    EvaluationParameters,
    ExportParameters,
    HoneypotParameters,
    Parameters,
    RealignmentParameters,
    RegistrationParameters,
    TrialParameters,
)


class ForeignError(Exception):
    """The run names something that its project does not have, or not yet; the message is a sentence for a person."""


def refuse_foreign(session: Session, project_id: UUID, parameters: Parameters) -> None:
    """Raises ForeignError where something is of another project, has not succeeded, or is not approved to leave."""
    match parameters:
        case AnalysisParameters(checkpoint_id=checkpoint):
            need_checkpoints(session, project_id, [checkpoint])
        case CritiqueParameters(analysis_id=analysis, specification_id=specification):
            need_run(session, project_id, analysis, Kind.ANALYSIS)
            need_specification(session, project_id, specification)
        case CalibrationParameters(critique_id=critique):
            need_run(session, project_id, critique, Kind.CRITIQUE)
        case TrialParameters(analysis_id=analysis, entries=entries, explanation_ids=explanations):
            need_run(session, project_id, analysis, Kind.ANALYSIS)
            need_classes(session, project_id, [entry.class_id for entry in entries])
            need_explanations(session, analysis, explanations)
        case (
            RealignmentParameters(critique_id=critique)
            | ConsensusParameters(critique_id=critique)
            | HoneypotParameters(critique_id=critique)
        ):
            need_run(session, project_id, critique, Kind.CRITIQUE)
        case EvaluationParameters(checkpoint_ids=checkpoints, critique_id=of_critique):
            need_checkpoints(session, project_id, checkpoints)
            if of_critique is not None:
                need_run(session, project_id, of_critique, Kind.CRITIQUE)
        case ExportParameters(checkpoint_id=checkpoint):
            need_checkpoints(session, project_id, [checkpoint])
            need_approval(session, checkpoint)
        case RegistrationParameters(parent_id=UUID() as parent):
            need_checkpoints(session, project_id, [parent])
        case _:
            return


def need_checkpoints(session: Session, project_id: UUID, wanted: Iterable[UUID]) -> None:
    ids = set(wanted)
    mine = select(func.count()).select_from(Checkpoint)
    if session.scalar(mine.where(Checkpoint.project_id == project_id, Checkpoint.id.in_(ids))) != len(ids):
        raise ForeignError(gettext("This project has no such checkpoint."))


def need_approval(session: Session, checkpoint_id: UUID) -> None:
    try:
        approval_of(session, session.get_one(Checkpoint, checkpoint_id))
    except NotApprovedError as error:
        raise ForeignError(str(error)) from error


def need_specification(session: Session, project_id: UUID, specification_id: UUID) -> None:
    found = session.get(Specification, specification_id)
    if found is None or found.project_id != project_id:
        raise ForeignError(gettext("This project has no such specification."))


def need_run(session: Session, project_id: UUID, run_id: UUID, kind: Kind) -> None:
    run = session.get(Run, run_id)
    if run is None or run.project_id != project_id or run.kind is not kind:
        raise ForeignError(gettext("This project has no such %(kind)s.", kind=stored(kind.value)))
    if run.state is not State.SUCCEEDED:
        raise ForeignError(
            gettext("This %(kind)s has not succeeded, so nothing can build on it.", kind=stored(kind.value))
        )


def need_classes(session: Session, project_id: UUID, wanted: Iterable[UUID]) -> None:
    mine = set(session.scalars(select(TargetClass.id).where(TargetClass.project_id == project_id)))
    if not set(wanted) <= mine:
        raise ForeignError(gettext("This project has no such class."))


def need_explanations(session: Session, analysis_id: UUID, wanted: Iterable[UUID]) -> None:
    ids = set(wanted)
    mine = select(func.count()).select_from(Explanation)
    if session.scalar(mine.where(Explanation.run_id == analysis_id, Explanation.id.in_(ids))) != len(ids):
        raise ForeignError(gettext("This analysis has no such image."))
