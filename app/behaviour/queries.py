"""What the Behaviour page shows of one analysis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import case, select
from sqlalchemy.orm import Session

from app.behaviour.evidence import NOTHING, Examples, by_class, examples_of
from app.models import Checkpoint, Dataset, Kind, Origin, Project, Report, Run, Split, State, TargetClass
from app.models.figures import Estimate, Figures, Group
from app.models.summary import SHORT, ClassSummary
from app.projects.lvlm import NONE, Speaker, speaker_of
from app.runs.clustering import CLUSTERING, ChosenClustering, clustering_of
from app.runs.parameters import AnalysisParameters
from app.runs.queries import WITHOUT_RESULT, results_of


@dataclass(frozen=True)
class ClassBehaviour:
    """What the model bases its answer on, for pictures of one class."""

    target: TargetClass
    told: ClassSummary
    examples: Examples


@dataclass(frozen=True)
class Measured:
    """A report with its figures read."""

    report: Report
    figures: Figures

    @property
    def worst_first(self) -> list[Group]:
        """The groups by their accuracy; those without one last."""
        return sorted(self.figures.groups, key=lambda group: (group.accuracy.value is None, group.accuracy.value or 0))


def analyses_of(session: Session, project: Project) -> Sequence[Run]:
    """The newest first, whatever their state."""
    return session.scalars(
        select(Run)
        .where(Run.project_id == project.id, Run.kind == Kind.ANALYSIS)
        .order_by(Run.created_at.desc())
        .options(*WITHOUT_RESULT)
    ).all()


def chosen_analysis(analyses: Sequence[Run], wanted: UUID | None) -> Run | None:
    """The one asked for, else the newest that succeeded; None where there is none to show."""
    finished = [run for run in analyses if run.state is State.SUCCEEDED]
    return next((run for run in finished if wanted in {None, run.id}), None)


def checkpoints_of(session: Session, project: Project) -> Sequence[Checkpoint]:
    """The newest first, controls left out: they exist to be compared with, not to be explained."""
    return session.scalars(
        select(Checkpoint)
        .where(Checkpoint.project_id == project.id, Checkpoint.origin != Origin.CONTROL)
        .order_by(Checkpoint.number.desc())
    ).all()


def parameters_of(analysis: Run) -> AnalysisParameters:
    return AnalysisParameters.model_validate(analysis.parameters)


@dataclass(frozen=True)
class Analysed:
    """What a page shows of an analysis's result.

    sampling: how many images have a spurious cluster, by the way the images are chosen; empty where not measured.
    """

    summaries: Mapping[UUID, ClassSummary]  # in short
    sampling: Mapping[str, Estimate]
    clustering: ChosenClustering | None
    speaker: Speaker | None


def analysed(session: Session, analysis: Run, parameters: AnalysisParameters) -> Analysed:
    summaries, sampling, clustering, lvlm = results_of(session, analysis.id, SHORT, "sampling", CLUSTERING, "lvlm")
    return Analysed(
        by_class(summaries), sampling_in(sampling), clustering_of(clustering, parameters), speaker_of(lvlm or NONE)
    )


def sampling_in(kept: dict[str, Any] | None) -> dict[str, Estimate]:
    try:
        return {strategy: Estimate.model_validate(value) for strategy, value in (kept or {}).items()}
    except ValidationError:
        return {}


def behaviour_by_class(
    session: Session, project: Project, summaries: Mapping[UUID, ClassSummary]
) -> list[ClassBehaviour]:
    told = [summaries.get(target.id, NOTHING) for target in project.classes]
    examples = examples_of(session, told)
    return [ClassBehaviour(*parts) for parts in zip(project.classes, told, examples, strict=True)]


def unknown_attributes(session: Session, project: Project) -> list[str]:
    """What the project makes its groups by though no data set of it has such an attribute."""
    known = session.scalars(select(Dataset.attributes).where(Dataset.project_id == project.id))
    names = {name for attributes in known for name in attributes}
    return [name for name in project.group_by if name not in names]


def newest_measured(session: Session, checkpoint_id: UUID) -> Measured | None:
    """The newest report of a checkpoint on test images, else on validation images."""
    report = session.scalar(
        select(Report)
        .where(Report.checkpoint_id == checkpoint_id, Report.split.in_([Split.TEST, Split.VALIDATION]))
        .order_by(case((Report.split == Split.TEST, 0), else_=1), Report.created_at.desc())
        .limit(1)
    )
    return Measured(report, Figures.model_validate(report.figures)) if report else None
