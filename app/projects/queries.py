"""Where a project stands in the loop, and the newest of everything that stands."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from sqlalchemy import Select, distinct, exists, func, literal, select, union_all
from sqlalchemy.orm import Session, aliased, selectinload

from app.check.standing import Standing
from app.languages.catalogue import gettext, msgid
from app.models import (
    Answer,
    Checkpoint,
    Critique,
    Kind,
    Origin,
    Project,
    Review,
    Run,
    Specification,
    State,
    Verdict,
)
from app.projects.known import (
    BESIDE,
    Known,
    Made,
    is_explanation,
    known_of,
    may_be_current,
    newest_run,
    runs_of_the_loop,
)
from app.projects.rounds import rounds_of
from app.review.answers import is_judged

AT_ONCE = 100  # of the selects that databases put together in one statement
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

    @property
    def label(self) -> str:
        return gettext(LABELS[self])


# What the pages call the steps.
LABELS: dict[Step, str] = {
    Step.UNDERSTAND: msgid("Understand"),
    Step.SPECIFY: msgid("Specify"),
    Step.REVIEW: msgid("Review"),
    Step.REALIGN: msgid("Realign"),
    Step.DECIDE: msgid("Decide"),
}
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
    made: Sequence[Made]  # all checkpoints, the newest first

    @cached_property
    def rounds(self) -> dict[UUID, int]:
        """By checkpoint, the round that begins with it."""
        return rounds_of(each.checkpoint for each in self.made)

    @property
    def round(self) -> int:
        """Of the checkpoint that the loop starts from."""
        return self.rounds[self.checkpoint.id] if self.checkpoint else 1


def current_checkpoint(session: Session, project: Project) -> Checkpoint | None:
    """The one that the loop starts from."""
    return loop_state(session, project).checkpoint


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
    return critique.id in critiques_read(session, [critique])


def critiques_read(session: Session, critiques: Sequence[Run]) -> set[UUID]:
    """Those of these that are read, in one statement for a hundred of them."""
    found: set[UUID] = set()
    for first in range(0, len(critiques), AT_ONCE):
        some = critiques[first : first + AT_ONCE]
        rows = session.execute(union_all(*(answers_counted(number, each) for number, each in enumerate(some))))
        found |= {some[number].id for number, read, judged in rows if read >= min(REVIEW_SAMPLE, (judged + 1) // 2)}
    return found


def answers_counted(number: int, critique: Run) -> Select[int, int, int]:
    """The number, how many of the critique's clusters people answered, and how many there are, counted to 48."""
    enough = clusters_judged(critique).limit(2 * REVIEW_SAMPLE)  # more of them don't ask for more answers
    judged = select(func.count()).select_from(enough.subquery())
    return select(literal(number), clusters_read(critique).scalar_subquery(), judged.scalar_subquery())


def clusters_read(critique: Run) -> Select[int]:
    """How many of its clusters carry an answer that stands; an answer outlasts the critique it was given under."""
    later = aliased(Review)
    overtaken = exists().where(
        later.cluster_id == Review.cluster_id,
        later.user_id == Review.user_id,
        later.created_at > Review.created_at,
    )
    return select(func.count(distinct(Review.cluster_id))).where(
        is_judged(critique, Review.cluster_id), Review.answer != Answer.WITHDRAWN, ~overtaken
    )


def loop_state(session: Session, project: Project) -> LoopState:
    """Judged for the current checkpoint and the newest specification: a step that rests on older ones is not done.

    Every page of a project shows it, so it takes three statements, whatever has happened in the project.
    """
    return loop_states(session, [project])[project.id]


def loop_states(session: Session, projects: Sequence[Project]) -> dict[UUID, LoopState]:
    """By project, in three statements for them all."""
    told, runs = known_of(session, projects), runs_of_the_loop(session, projects)
    reached = {project.id: reached_in(told[project.id], runs[project.id]) for project in projects}
    unsure = [each.critique for each in reached.values() if each.critique is not None and each.realigned is None]
    read = critiques_read(session, unsure)
    return {project.id: state_of(project, told[project.id], reached[project.id], read) for project in projects}


@dataclass(frozen=True)
class Reached:
    """What of the loop is done for the checkpoint that it starts from."""

    checkpoint: Checkpoint | None
    analysis: Run | None
    critique: Run | None
    realigned: Made | None
    run: Run | None  # under way


def reached_in(told: Known, runs: Sequence[Run]) -> Reached:
    explained = {run.parameters["checkpoint_id"] for run in runs if is_explanation(run)}
    checkpoint = next((each.checkpoint for each in told.made if may_be_current(each, explained)), None)
    analysis = newest_run(runs, Kind.ANALYSIS, checkpoint_id=checkpoint.id) if checkpoint else None
    asked = {"analysis_id": analysis.id, "specification_id": told.specification_id} if analysis else {}
    critique = newest_run(runs, Kind.CRITIQUE, **asked) if asked else None
    realignment = newest_run(runs, Kind.REALIGNMENT, critique_id=critique.id) if critique else None
    realigned = next(
        (each for each in told.made if realignment and is_realigned_by(realignment, each.checkpoint)), None
    )
    return Reached(
        checkpoint, analysis, critique, realigned, next((run for run in runs if not run.state.is_final), None)
    )


def state_of(project: Project, told: Known, reached: Reached, read: Collection[UUID]) -> LoopState:
    critique, realigned = reached.critique, reached.realigned
    steps = {
        Step.UNDERSTAND: reached.analysis is not None,
        Step.SPECIFY: is_specified(told, reached),
        Step.REVIEW: realigned is not None or (critique is not None and critique.id in read),
        Step.REALIGN: realigned is not None,
        Step.DECIDE: realigned is not None and realigned.approved is not None,
    }
    done = frozenset(step for step, is_done in steps.items() if is_done)
    current = next((step for step in Step if step not in done), Step.DECIDE)
    return LoopState(
        done=done,
        current=current,
        next_action=next_action(project, current, reached.checkpoint, critique, Step.DECIDE in done, reached.run),
        checkpoint=reached.checkpoint,
        run=reached.run,
        analysis=reached.analysis,
        critique=critique,
        realigned=realigned.checkpoint if realigned else None,
        lvlm=told.lvlm,
        made=told.made,
    )


def is_specified(told: Known, reached: Reached) -> bool:
    """In a later round the words are looked at again: new ones are written, or the critic is asked under the old."""
    if told.specified_at is None or reached.checkpoint is None or reached.checkpoint.origin is not Origin.REALIGNED:
        return told.specified_at is not None
    if reached.analysis is None:
        return False
    explained_at = reached.analysis.finished_at or reached.analysis.created_at
    return reached.critique is not None or told.specified_at > explained_at


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
        return NextAction(gettext("See the work under way"), f"/runs/{run.id}")
    if checkpoint is None:
        return NextAction(gettext("Add images and a checkpoint"), f"/projects/{project.id}/behaviour")
    if decided:
        return NextAction(gettext("Go round again"), f"/projects/{project.id}/specification")
    is_later_round = checkpoint.origin is Origin.REALIGNED
    labels = {
        Step.UNDERSTAND: gettext("Explain checkpoint %(number)s", number=checkpoint.number),
        Step.SPECIFY: gettext("Say what is new") if is_later_round else gettext("Write the specification"),
        Step.REVIEW: gettext("Review the verdicts") if critique else gettext("Begin the review"),
        Step.REALIGN: gettext("Realign the checkpoint"),
        Step.DECIDE: gettext("Sign the decision"),
    }
    if current is Step.UNDERSTAND and is_later_round:  # its page would show the round before
        return NextAction(labels[current], f"/projects/{project.id}/behaviour/new")
    return NextAction(labels[current], f"/projects/{project.id}/{current.path}")
