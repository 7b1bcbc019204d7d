"""Where a project stands in the loop, and the newest of everything that stands."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, and_, distinct, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, selectinload

from app.models import (
    Answer,
    Checkpoint,
    Cluster,
    Dataset,
    Decision,
    Explanation,
    Kind,
    Origin,
    Project,
    Report,
    Review,
    Run,
    Specification,
    Split,
    State,
)

REVIEW_SAMPLE = 24  # cases that a person should have read before the verdicts are used


class Step(StrEnum):
    UNDERSTAND = "understand"
    SPECIFY = "specify"
    REVIEW = "review"
    REALIGN = "realign"
    DECIDE = "decide"

    @property
    def path(self) -> str:
        return PATHS[self]


PATHS: dict[Step, str] = {
    Step.UNDERSTAND: "behaviour",
    Step.SPECIFY: "specification",
    Step.REVIEW: "review",
    Step.REALIGN: "realign",
    Step.DECIDE: "compare",
}


@dataclass(frozen=True)
class NextAction:
    label: str
    url: str


@dataclass(frozen=True)
class LoopState:
    done: frozenset[Step]
    current: Step  # the first step that is not done
    next_action: NextAction
    checkpoint: Checkpoint | None
    run: Run | None  # the work that is under way, if any


def current_checkpoint(session: Session, project: Project) -> Checkpoint | None:
    """The one that the loop starts from: the newest given or trained, or realigned and approved since."""
    newest = aliased(Decision)
    verdict = (
        select(newest.approved)
        .where(newest.checkpoint_id == Checkpoint.id)
        .order_by(newest.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    given = Checkpoint.origin.in_([Origin.IMPORTED, Origin.TRAINED])
    approved = and_(Checkpoint.origin == Origin.REALIGNED, verdict.is_(True))
    return session.scalar(
        select(Checkpoint)
        .where(Checkpoint.project_id == project.id, or_(given, approved))
        .order_by(Checkpoint.number.desc())
        .limit(1)
    )


def newest_dataset(session: Session, project: Project) -> Dataset | None:
    return session.scalar(
        select(Dataset).where(Dataset.project_id == project.id).order_by(Dataset.created_at.desc()).limit(1)
    )


def succeeded(project: Project, kind: Kind) -> Select[Run]:
    return (
        select(Run)
        .where(Run.project_id == project.id, Run.kind == kind, Run.state == State.SUCCEEDED)
        .order_by(Run.created_at.desc())
        .limit(1)
    )


def newest_analysis(session: Session, project: Project, checkpoint: Checkpoint | None = None) -> Run | None:
    """The newest that succeeded, of this checkpoint where one is given."""
    query = succeeded(project, Kind.ANALYSIS)
    if checkpoint is not None:
        query = query.where(Run.parameters["checkpoint_id"].as_string() == str(checkpoint.id))
    return session.scalar(query)


def newest_specification(session: Session, project: Project) -> Specification | None:
    return session.scalar(
        select(Specification)
        .where(Specification.project_id == project.id)
        .order_by(Specification.version.desc())
        .limit(1)
        .options(selectinload(Specification.entries))
    )


def newest_critique(
    session: Session, project: Project, analysis: Run | None = None, specification: Specification | None = None
) -> Run | None:
    """The newest that succeeded, of this analysis and under this version where they are given."""
    query = succeeded(project, Kind.CRITIQUE)
    if analysis is not None:
        query = query.where(Run.parameters["analysis_id"].as_string() == str(analysis.id))
    if specification is not None:
        query = query.where(Run.parameters["specification_id"].as_string() == str(specification.id))
    return session.scalar(query)


def newest_realignment(session: Session, project: Project, critique: Run | None = None) -> Run | None:
    """The newest that succeeded, from this critique's verdicts where one is given."""
    query = succeeded(project, Kind.REALIGNMENT)
    if critique is not None:
        query = query.where(Run.parameters["critique_id"].as_string() == str(critique.id))
    return session.scalar(query)


def realigned_checkpoint(session: Session, realignment: Run) -> Checkpoint | None:
    return session.scalar(
        select(Checkpoint).where(Checkpoint.run_id == realignment.id, Checkpoint.origin == Origin.REALIGNED)
    )


def newest_report(session: Session, checkpoint: Checkpoint, split: Split) -> Report | None:
    return session.scalar(
        select(Report)
        .where(Report.checkpoint_id == checkpoint.id, Report.split == split)
        .order_by(Report.created_at.desc())
        .limit(1)
    )


def newest_decision(session: Session, checkpoint: Checkpoint) -> Decision | None:
    return session.scalar(
        select(Decision)
        .where(Decision.checkpoint_id == checkpoint.id)
        .order_by(Decision.created_at.desc())
        .limit(1)
        .options(selectinload(Decision.user))
    )


def run_under_way(session: Session, project: Project) -> Run | None:
    """The newest that is queued or runs; trials of a specification are left out, they take seconds."""
    return session.scalar(
        select(Run)
        .where(
            Run.project_id == project.id,
            Run.state.in_([State.QUEUED, State.RUNNING]),
            Run.kind != Kind.TRIAL,
        )
        .order_by(Run.created_at.desc())
        .limit(1)
    )


def cases_of(session: Session, critique: Run) -> int:
    analysis_id = UUID(critique.parameters["analysis_id"])
    return session.scalar(select(func.count()).select_from(Explanation).where(Explanation.run_id == analysis_id)) or 0


def cases_read(session: Session, critique: Run) -> int:
    """How many of its cases carry a person's answer that stands; an answer outlasts the critique it was given under."""
    later = aliased(Review)
    overtaken = exists().where(
        later.cluster_id == Review.cluster_id,
        later.user_id == Review.user_id,
        later.created_at > Review.created_at,
    )
    query = (
        select(func.count(distinct(Cluster.explanation_id)))
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .join(Review, Review.cluster_id == Cluster.id)
        .where(
            Explanation.run_id == UUID(critique.parameters["analysis_id"]),
            Review.answer != Answer.WITHDRAWN,
            ~overtaken,
        )
    )
    return session.scalar(query) or 0


def loop_state(session: Session, project: Project) -> LoopState:
    """Judged for the current checkpoint and the newest specification: a step that rests on older ones is not done."""
    checkpoint = current_checkpoint(session, project)
    analysis = newest_analysis(session, project, checkpoint) if checkpoint else None
    specification = newest_specification(session, project)
    critique = newest_critique(session, project, analysis, specification) if analysis and specification else None
    realignment = newest_realignment(session, project, critique) if critique else None
    realigned = realigned_checkpoint(session, realignment) if realignment else None
    decided = newest_decision(session, realigned) is not None if realigned else False
    read_enough = critique is not None and cases_read(session, critique) >= min(
        REVIEW_SAMPLE, cases_of(session, critique)
    )
    steps = {
        Step.UNDERSTAND: analysis is not None,
        Step.SPECIFY: specification is not None,
        Step.REVIEW: read_enough or realigned is not None,
        Step.REALIGN: realigned is not None,
        Step.DECIDE: decided,
    }
    done = frozenset(step for step, is_done in steps.items() if is_done)
    current = next((step for step in Step if step not in done), Step.DECIDE)
    run = run_under_way(session, project)
    return LoopState(done, current, next_action(project, current, checkpoint, critique, decided, run), checkpoint, run)


def next_action(
    project: Project,
    current: Step,
    checkpoint: Checkpoint | None,
    critique: Run | None,
    decided: bool,
    run: Run | None,
) -> NextAction:
    if run is not None:
        return NextAction("See the work under way", f"/runs/{run.id}")
    if checkpoint is None:
        return NextAction("Add images and a checkpoint", f"/projects/{project.id}/behaviour")
    if decided:
        return NextAction("Go round again", f"/projects/{project.id}/specification")
    labels = {
        Step.UNDERSTAND: f"Explain checkpoint {checkpoint.number}",
        Step.SPECIFY: "Write the specification",
        Step.REVIEW: "Review the verdicts" if critique else "Ask the critic",
        Step.REALIGN: "Realign the checkpoint",
        Step.DECIDE: "Sign the decision",
    }
    return NextAction(labels[current], f"/projects/{project.id}/{current.path}")
