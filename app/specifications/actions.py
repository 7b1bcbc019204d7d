"""Saving a version, trying unsaved words, asking the critic."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from app.models import Project, Run, Specification, SpecificationEntry, User
from app.runs.actions import start_run
from app.runs.parameters import CritiqueParameters, EntryText, TrialParameters
from app.specifications import queries

FIELDS = CritiqueParameters.model_fields
PASSES: int = FIELDS["passes"].default
THRESHOLDS: tuple[float, float] = (FIELDS["uncertain_from"].default, FIELDS["uncertain_to"].default)


def save_version(
    session: Session, project: Project, user: User, entries: Sequence[EntryText], reason: str
) -> Specification:
    """Adds the next version. Words that say the same as the newest version make no new one."""
    newest = next(iter(queries.versions_of(session, project)), None)
    if newest is not None and tuple(entries) == queries.words_to_begin_from(newest, project.classes):
        return newest
    version = Specification(
        project_id=project.id,
        version=newest.version + 1 if newest else 1,
        reason=reason.strip(),
        created_by_id=user.id,
        entries=[SpecificationEntry(**entry.model_dump()) for entry in entries],
    )
    session.add(version)
    session.flush()
    return version


def start_trial(
    session: Session,
    project: Project,
    user: User,
    analysis: Run,
    entries: tuple[EntryText, ...],
    explanation_ids: Sequence[UUID],
) -> Run:
    """Asks critic and judge about a few pictures under words that are not saved."""
    parameters = TrialParameters(
        analysis_id=analysis.id,
        entries=entries,
        explanation_ids=tuple(explanation_ids),
        examples=queries.judge_examples(session, project),
    )
    return start_run(session, project.id, parameters, user.id)


def start_critique(
    session: Session,
    project: Project,
    user: User,
    analysis: Run,
    version: Specification,
    *,
    passes: int = PASSES,
    thresholds: tuple[float, float] = THRESHOLDS,
) -> Run:
    """Asks the critic about every explanation; a critique of the same that is under way is not started twice."""
    running = queries.newest_critique_run(session, project, version, analysis)
    if running is not None and not running.state.is_final:
        return running
    parameters = CritiqueParameters(
        analysis_id=analysis.id,
        specification_id=version.id,
        uncertain_from=thresholds[0],
        uncertain_to=thresholds[1],
        passes=passes,
        examples=queries.judge_examples(session, project),
    )
    return start_run(session, project.id, parameters, user.id)
