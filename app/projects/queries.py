"""Where a project stands in the loop, and the newest of everything that stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, and_, distinct, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, defer, selectinload

from app.check.standing import Standing, proof, standing_by
from app.models import (
    Answer,
    Checkpoint,
    Critique,
    Dataset,
    Decision,
    Kind,
    Origin,
    Project,
    Report,
    Review,
    Run,
    Specification,
    Split,
    State,
    Verdict,
)

# Work beside the loop: no step waits for it.
BESIDE = (Kind.TRIAL, Kind.CALIBRATION, Kind.CONSENSUS, Kind.CHECK, Kind.HONEYPOT)
REVIEW_SAMPLE = 24  # clusters that a person should have read before the verdicts are used


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
    analysis: Run | None  # of that checkpoint
    critique: Run | None  # of that analysis under the newest specification
    realigned: Checkpoint | None  # from that critique
    lvlm: Standing  # whether its words are those of a checked LVLM


def current_checkpoint(session: Session, project: Project) -> Checkpoint | None:
    """The one that the loop starts from."""
    made, _, _ = checkpoints_and_specification(session, project)
    return next((each.checkpoint for each in made if may_be_current(each)), None)


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


def run_under_way(session: Session, project: Project) -> Run | None:
    """The newest that is queued or runs; what stands beside the loop is left out."""
    return session.scalar(
        select(Run)
        .where(
            Run.project_id == project.id,
            Run.state.in_([State.QUEUED, State.RUNNING]),
            Run.kind.not_in(BESIDE),
        )
        .order_by(Run.created_at.desc())
        .limit(1)
    )


def clusters_judged(critique: Run) -> Select[UUID]:
    return (
        select(Verdict.cluster_id)
        .join(Critique, Critique.id == Verdict.critique_id)
        .where(Critique.run_id == critique.id)
    )


def is_read(session: Session, critique: Run) -> bool:
    """Whether people answered as many clusters as a blind sample has: 24, or half of them where there are few."""
    total = select(func.count()).select_from(clusters_judged(critique).subquery()).scalar_subquery()
    read, judged = session.execute(select(clusters_read(critique).scalar_subquery(), total)).one()
    return bool(read >= min(REVIEW_SAMPLE, (judged + 1) // 2))


def clusters_read(critique: Run) -> Select[int]:
    """How many of its clusters carry an answer that stands; an answer outlasts the critique it was given under."""
    later = aliased(Review)
    overtaken = exists().where(
        later.cluster_id == Review.cluster_id,
        later.user_id == Review.user_id,
        later.created_at > Review.created_at,
    )
    return select(func.count(distinct(Review.cluster_id))).where(
        Review.cluster_id.in_(clusters_judged(critique)), Review.answer != Answer.WITHDRAWN, ~overtaken
    )


@dataclass(frozen=True)
class Made:
    """A checkpoint and the newest decision on it; ``approved`` is None where nobody has decided."""

    checkpoint: Checkpoint
    approved: bool | None


def checkpoints_and_specification(session: Session, project: Project) -> tuple[list[Made], UUID | None, Standing]:
    """All checkpoints, the newest first, the newest specification's id, and where the LVLM stands: one statement."""
    approved = (
        select(Decision.approved)
        .where(Decision.checkpoint_id == Checkpoint.id)
        .order_by(Decision.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    specification = (
        select(Specification.id)
        .where(Specification.project_id == Project.id)
        .order_by(Specification.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(specification, Checkpoint, approved, *proof())
        .select_from(Project)
        .outerjoin(Checkpoint, Checkpoint.project_id == Project.id)
        .where(Project.id == project.id)
        .order_by(Checkpoint.number.desc())
    ).all()
    made = [Made(checkpoint, decided) for _, checkpoint, decided, *_ in rows if checkpoint is not None]
    first = rows[0]  # the outer join leaves one row at least
    return made, first[0], standing_by(project, *first[3:])


def runs_of_the_loop(session: Session, project: Project) -> Sequence[Run]:
    """Those under way, and the finished steps of the loop, the newest first; without their results, which are long."""
    under_way = and_(Run.state.in_([State.QUEUED, State.RUNNING]), Run.kind.not_in(BESIDE))
    steps = and_(Run.state == State.SUCCEEDED, Run.kind.in_([Kind.ANALYSIS, Kind.CRITIQUE, Kind.REALIGNMENT]))
    return session.scalars(
        select(Run)
        .where(Run.project_id == project.id, or_(under_way, steps))
        .order_by(Run.created_at.desc())
        .options(defer(Run.result), defer(Run.error_details))
    ).all()


def newest_run(runs: Sequence[Run], kind: Kind, **parameters: UUID | None) -> Run | None:
    """The newest finished one of that kind with those parameters."""
    wanted = {name: str(value) for name, value in parameters.items()}
    return next(
        (
            run
            for run in runs
            if run.kind is kind
            and run.state is State.SUCCEEDED
            and all(run.parameters.get(name) == value for name, value in wanted.items())
        ),
        None,
    )


def loop_state(session: Session, project: Project) -> LoopState:
    """Judged for the current checkpoint and the newest specification: a step that rests on older ones is not done.

    Every page of a project shows it, so it takes three statements, whatever has happened in the project.
    """
    made, specification_id, standing = checkpoints_and_specification(session, project)
    runs = runs_of_the_loop(session, project)
    checkpoint = next((each.checkpoint for each in made if may_be_current(each)), None)
    analysis = newest_run(runs, Kind.ANALYSIS, checkpoint_id=checkpoint.id) if checkpoint else None
    critique = (
        newest_run(runs, Kind.CRITIQUE, analysis_id=analysis.id, specification_id=specification_id)
        if analysis
        else None
    )
    realignment = newest_run(runs, Kind.REALIGNMENT, critique_id=critique.id) if critique else None
    realigned = next((each for each in made if realignment and is_realigned_by(realignment, each.checkpoint)), None)
    steps = {
        Step.UNDERSTAND: analysis is not None,
        Step.SPECIFY: specification_id is not None,
        Step.REVIEW: realigned is not None or (critique is not None and is_read(session, critique)),
        Step.REALIGN: realigned is not None,
        Step.DECIDE: realigned is not None and realigned.approved is not None,
    }
    done = frozenset(step for step, is_done in steps.items() if is_done)
    current = next((step for step in Step if step not in done), Step.DECIDE)
    run = next((run for run in runs if not run.state.is_final), None)
    return LoopState(
        done=done,
        current=current,
        next_action=next_action(project, current, checkpoint, critique, Step.DECIDE in done, run),
        checkpoint=checkpoint,
        run=run,
        analysis=analysis,
        critique=critique,
        realigned=realigned.checkpoint if realigned else None,
        lvlm=standing,
    )


def may_be_current(made: Made) -> bool:
    """The loop starts from the newest given or trained, or realigned and approved since."""
    if made.checkpoint.origin is Origin.REALIGNED:
        return made.approved is True
    return made.checkpoint.origin in {Origin.IMPORTED, Origin.TRAINED}


def is_realigned_by(run: Run, checkpoint: Checkpoint) -> bool:
    return checkpoint.run_id == run.id and checkpoint.origin is Origin.REALIGNED


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
