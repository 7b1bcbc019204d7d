"""Where a project stands: one test for every place on the way round."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import now, transaction
from app.models import Answer, Cluster, Decision, Kind, Project, Report, Review, Run, Split, State, User
from app.projects.queries import Step, current_checkpoint, loop_state
from app.runs.parameters import AnalysisParameters, ImportParameters
from tests import factories
from tests.factories import Loop


def test_a_project_without_a_checkpoint_asks_for_one(sqlite: None) -> None:
    with transaction() as session:
        standing = loop_state(session, factories.add_project(session))
    assert standing.done == frozenset()
    assert (standing.current, standing.checkpoint) == (Step.UNDERSTAND, None)
    assert standing.next_action.label == "Add images and a checkpoint"


def test_a_checkpoint_is_to_be_explained_first(sqlite: None) -> None:
    with transaction() as session:
        project = factories.add_project(session)
        factories.add_checkpoint(session, project)
        standing = loop_state(session, project)
    assert standing.current is Step.UNDERSTAND
    assert standing.next_action.label == "Explain checkpoint 1"


def test_after_the_explanation_comes_the_specification_then_the_critic(sqlite: None) -> None:
    with transaction() as session:
        project = factories.add_project(session)
        images = factories.images_of(session, factories.add_images(session, project, 2), Split.TRAIN)
        checkpoint = factories.add_checkpoint(session, project)
        analysis = factories.add_analysis(session, project, checkpoint, images)
        assert loop_state(session, project).next_action.label == "Write the specification"
        user = factories.add_user(session)
        specification = factories.add_specification(session, project, user)
        assert loop_state(session, project).next_action.label == "Begin the review"
        factories.add_critique(session, project, analysis, specification, factories.explanations_of(session, analysis))
        standing = loop_state(session, project)
    assert standing.done == {Step.UNDERSTAND, Step.SPECIFY}
    assert standing.next_action.label == "Review the verdicts"


@pytest.fixture
def judged(sqlite: None) -> tuple[Project, Run, User]:
    """A project whose critique is there and unread."""
    with transaction() as session:
        project = factories.add_project(session)
        images = factories.images_of(session, factories.add_images(session, project, 2), Split.TRAIN)
        analysis = factories.add_analysis(session, project, factories.add_checkpoint(session, project), images)
        user = factories.add_user(session)
        specification = factories.add_specification(session, project, user)
        critique = factories.add_critique(
            session, project, analysis, specification, factories.explanations_of(session, analysis)
        )
    return project, critique, user


def answer(session: Session, critique: Run, user: User, clusters: list[Cluster], said: Answer) -> None:
    for cluster in clusters:
        session.add(Review(cluster_id=cluster.id, user_id=user.id, run_id=critique.id, answer=said, blind=True))
    session.flush()


def test_the_review_is_done_when_half_of_few_clusters_are_read(judged: tuple[Project, Run, User]) -> None:
    project, critique, user = judged
    with transaction() as session:
        clusters = list(session.scalars(select(Cluster).order_by(Cluster.id)))
        half = (len(clusters) + 1) // 2
        answer(session, critique, user, clusters[: half - 1], Answer.RELEVANT)
        assert loop_state(session, project).current is Step.REVIEW
        answer(session, critique, user, clusters[half - 1 : half], Answer.CANT_TELL)
        assert loop_state(session, project).current is Step.REALIGN


def test_an_answer_that_was_taken_back_does_not_count(judged: tuple[Project, Run, User]) -> None:
    project, critique, user = judged
    with transaction() as session:
        clusters = list(session.scalars(select(Cluster)))
        answer(session, critique, user, clusters, Answer.RELEVANT)
        assert Step.REVIEW in loop_state(session, project).done
        answer(session, critique, user, clusters, Answer.WITHDRAWN)
        assert Step.REVIEW not in loop_state(session, project).done


def test_new_words_ask_for_the_critic_again(sqlite: None) -> None:
    with transaction() as session:
        whole = factories.whole_loop(session)
        assert loop_state(session, whole.project).current is Step.DECIDE
        factories.add_specification(session, whole.project, whole.clinician, spurious="anything written")
        standing = loop_state(session, whole.project)
    assert standing.current is Step.REVIEW
    assert standing.next_action.label == "Begin the review"


def decide(session: Session, whole: Loop, approved: bool) -> None:
    report = session.scalars(select(Report).where(Report.checkpoint_id == whole.original.id)).first()
    assert report is not None
    session.add(
        Decision(
            project_id=whole.project.id,
            checkpoint_id=whole.realigned.id,
            before_report_id=report.id,
            after_report_id=report.id,
            user_id=whole.clinician.id,
            signed_name="Ada",
            approved=approved,
            meaning="",
            reason="",
        )
    )
    session.flush()


def test_an_approved_checkpoint_is_where_the_next_round_starts(sqlite: None) -> None:
    with transaction() as session:
        whole = factories.whole_loop(session)
        assert current_checkpoint(session, whole.project) is whole.original
        decide(session, whole, approved=True)
        standing = loop_state(session, whole.project)
    assert standing.checkpoint is whole.realigned
    assert standing.current is Step.UNDERSTAND
    assert standing.next_action.label == "Explain checkpoint 2"


def test_a_rejected_checkpoint_is_not_gone_on_from(sqlite: None) -> None:
    with transaction() as session:
        whole = factories.whole_loop(session)
        decide(session, whole, approved=False)
        standing = loop_state(session, whole.project)
    assert standing.checkpoint is whole.original
    assert standing.done == set(Step)
    assert standing.next_action.label == "Go round again"


def test_the_newest_decision_counts(sqlite: None) -> None:
    with transaction() as session:
        whole = factories.whole_loop(session)
        decide(session, whole, approved=True)
        decide(session, whole, approved=False)
        assert current_checkpoint(session, whole.project) is whole.original


def test_work_under_way_is_the_next_thing_to_see(sqlite: None) -> None:
    with transaction() as session:
        whole = factories.whole_loop(session)
        parameters = AnalysisParameters(checkpoint_id=whole.original.id)
        run = factories.add_run(session, whole.project, parameters, Kind.ANALYSIS, state=State.RUNNING)
        standing = loop_state(session, whole.project)
    assert standing.run is run
    assert standing.next_action.url == f"/runs/{run.id}"


def test_a_failed_or_older_analysis_of_another_checkpoint_is_no_understanding(sqlite: None) -> None:
    with transaction() as session:
        whole = factories.whole_loop(session)
        newer = factories.add_checkpoint(session, whole.project)
        factories.add_run(
            session, whole.project, AnalysisParameters(checkpoint_id=newer.id), Kind.ANALYSIS, state=State.FAILED
        )
        factories.add_run(session, whole.project, ImportParameters(name="more"), Kind.IMPORT).created_at = (
            now() + timedelta(seconds=1)
        )
        standing = loop_state(session, whole.project)
    assert standing.checkpoint is newer
    assert standing.current is Step.UNDERSTAND
