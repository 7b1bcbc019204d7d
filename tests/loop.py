"""Once round the loop as an engineer goes: run after run, in this process, through the real stages."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select

from app.db import now, reading, transaction
from app.models import (
    Cluster,
    Critique,
    Explanation,
    Project,
    Report,
    Run,
    Specification,
    Split,
    State,
    Verdict,
    VerdictValue,
)
from app.models.figures import Figures
from app.review.order import place_of
from app.runs.actions import start_run
from app.runs.parameters import CritiqueParameters, Parameters
from worker.tasks.here import run_here


def new_project(attribute: str) -> UUID:
    """A project whose groups are class x this attribute."""
    with transaction() as session:
        made = Project(name=attribute, group_by=[attribute])
        session.add(made)
        session.flush()
        return made.id


def done(project_id: UUID, parameters: Parameters) -> Run:
    """The run, done in this process; one that fails is a failed test."""
    with transaction() as session:
        run_id = start_run(session, project_id, parameters).id
    run_here(run_id)
    with reading() as session:
        run = session.get_one(Run, run_id)
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    return run


def judged_by_truth(
    project_id: UUID, analysis: UUID, truth: Mapping[UUID, float] | None = None, version: int = 1
) -> UUID:
    """A critique whose verdicts are the true masks', as a perfect judge would have given them.

    truth: of each cluster, where those that were imported are not meant; version: of its specification.
    """
    with transaction() as session:
        specification = Specification(project_id=project_id, version=version)
        session.add(specification)
        session.flush()
        parameters = CritiqueParameters(analysis_id=analysis, specification_id=specification.id)
        run = start_run(session, project_id, parameters)
        run.state, run.finished_at = State.SUCCEEDED, now()
        for explanation in session.scalars(select(Explanation).where(Explanation.run_id == analysis)).all():
            clusters = session.scalars(select(Cluster).where(Cluster.explanation_id == explanation.id)).all()
            session.add(
                Critique(
                    run_id=run.id,
                    explanation_id=explanation.id,
                    specification_id=specification.id,
                    lvlm="truth",
                    text="",
                    verdicts=[
                        verdict_by_truth(run, each, (each.truth or 0.0) if truth is None else truth[each.id])
                        for each in clusters
                    ],
                )
            )
        return run.id


def verdict_by_truth(critique: Run, cluster: Cluster, truth: float) -> Verdict:
    value = VerdictValue.SPURIOUS if truth > 0.5 else VerdictValue.RELEVANT
    place = place_of(value, truth, cluster.influence)
    return Verdict(cluster_id=cluster.id, run_id=critique.id, value=value, p_spurious=truth, place=place)


def figures_of(checkpoint: UUID) -> Figures:
    with reading() as session:
        statement = select(Report).where(Report.checkpoint_id == checkpoint, Report.split == Split.TEST)
        report = session.scalars(statement.order_by(Report.created_at.desc())).first()
    assert report is not None
    return Figures.model_validate(report.figures)
