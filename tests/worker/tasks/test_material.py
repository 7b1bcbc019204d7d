"""Images that are imported and reviews that are given while a run works change nothing in it."""

from uuid import UUID

import pytest
import torch
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from app.db import reading, transaction
from app.models import (
    Answer,
    Checkpoint,
    Cluster,
    Prediction,
    Project,
    Report,
    Review,
    Run,
    Shard,
    ShardState,
    State,
)
from app.models.figures import Figures
from app.runs.parameters import EvaluationParameters, RealignmentParameters
from tests import factories
from tests.drawn import INPUT
from tests.worker.tasks import small
from worker.tasks import engine, measure
from worker.tasks.corrections import correction_of
from worker.tasks.here import run_here
from worker.tasks.inputs import load_assignment
from worker.tasks.material import critiques_before, material_of
from worker.vision.preprocessing import Preprocessing

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def project(database: str) -> Project:
    del database
    return small.add_project()


def change_everything(project: Project, critique: UUID) -> None:
    """More images come, and a person says of every cluster that stands as spurious that it is relevant."""
    with transaction() as session:
        again = session.get_one(Project, project.id, options=[selectinload(Project.classes)])
        factories.add_images(session, again, per_class=3)
        user = factories.add_user(session, f"reader of {critique}")
        for cluster in session.scalars(select(Cluster).where(Cluster.words == "letter")):
            said = {"cluster_id": cluster.id, "user_id": user.id, "run_id": critique, "blind": False}
            session.add(Review(answer=Answer.RELEVANT, **said))


def do_one_shard(run_id: UUID) -> None:
    with reading() as session:
        pending = (Shard.run_id == run_id, Shard.state == ShardState.PENDING)
        shard = session.scalars(select(Shard).where(*pending).order_by(Shard.number)).first()
    assert shard is not None
    engine.run_shard(run_id, shard.stage, shard.number)


def weights_of(run: Run) -> list[str]:
    with reading() as session:
        made = select(Checkpoint.weights).where(Checkpoint.run_id == run.id)
        return list(session.scalars(made.order_by(Checkpoint.number)))


def test_a_realignment_ends_as_if_nothing_had_come_meanwhile(project, monkeypatch):
    monkeypatch.setattr("worker.tasks.epochs.PIXELS_A_SHARD", 1.0)
    critique = small.add_critique(project, small.add_checkpoint(project))
    asked = RealignmentParameters(critique_id=critique, epochs=2, batch_size=4)
    undisturbed = small.ended(project, asked)
    run_id = small.start(project, asked)
    engine.begin(run_id)
    do_one_shard(run_id)
    change_everything(project, critique)
    run_here(run_id)
    run = small.run_of(run_id)
    assert run.state is State.SUCCEEDED, run.error_details
    assert weights_of(run) == weights_of(undisturbed)
    assert run.result["spurious_clusters"] == undisturbed.result["spurious_clusters"] > 0
    with reading() as session:
        reports = session.scalars(select(Report).where(Report.run_id == run_id)).all()
    assert {Figures.model_validate(report.figures).accuracy.n for report in reports} == {12}
    assert all(report.figures["evidence_on_spurious"]["value"] is not None for report in reports)


def test_an_evaluation_answers_for_the_images_that_there_were(project, monkeypatch):
    monkeypatch.setattr("worker.tasks.predict.SHARD", 5)
    checkpoint = small.add_checkpoint(project)
    run_id = small.start(project, EvaluationParameters(checkpoint_ids=(checkpoint,)))
    engine.begin(run_id)
    do_one_shard(run_id)
    change_everything(project, run_id)
    run_here(run_id)
    assert small.run_of(run_id).state is State.SUCCEEDED, small.run_of(run_id).error_details
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Prediction).where(Prediction.run_id == run_id)) == 24


def test_a_checkpoint_of_another_input_size_is_measured_under_the_same_masks(project):
    critique = small.add_critique(project, small.add_checkpoint(project))
    smaller = small.add_checkpoint(project, size=INPUT // 2)
    run = small.ended(project, EvaluationParameters(checkpoint_ids=(smaller,), critique_id=critique))
    assert run.state is State.SUCCEEDED, run.error_details
    with reading() as session:
        correction = correction_of(session, material_of(run))
        reports = session.scalars(select(Report).where(Report.run_id == run.id)).all()
    assert all(report.figures["evidence_on_spurious"]["value"] is not None for report in reports)
    masks = correction.images(Preprocessing(INPUT // 2, 1, (0.5,), (0.5,))).masks
    whole = correction.masks(INPUT)
    assert masks.shape == (len(correction.rows), 1, INPUT // 2, INPUT // 2)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert masks.mean().item() == pytest.approx(whole.mean().item(), abs=0.01)
    for mask, blob, numbers in zip(whole, correction.assignments, correction.spurious, strict=True):
        assert (mask[0].numpy() > 0).tolist() == [[each in numbers for each in row] for row in load_assignment(blob)]


def test_the_alignment_images_are_measured_once_for_a_checkpoint_on_every_split(project, monkeypatch):
    checkpoint = small.add_checkpoint(project)
    critique = small.add_critique(project, checkpoint)
    asked = []
    explain = measure.evidence_by_verdict
    monkeypatch.setattr(measure, "evidence_by_verdict", lambda *given: asked.append(1) or explain(*given))
    run = small.ended(project, EvaluationParameters(checkpoint_ids=(checkpoint,), critique_id=critique))
    with reading() as session:
        stored = session.scalars(select(Report).where(Report.run_id == run.id)).all()
    figures = [Figures.model_validate(report.figures) for report in stored]
    assert len({report.split for report in stored}) == len(stored) == 2
    assert len(asked) == 1
    assert measure.known_evidence(figures[0]) == measure.known_evidence(figures[1])
    shares = [each.value for each in measure.known_evidence(figures[0]).values()]
    # Each cluster that is drawn is judged, and none is uncertain but those without words.
    assert all(share is not None and share > 0 for share in shares)
    assert sum(share for share in shares if share is not None) <= 1 + 1e-6
    on_clusters = [measure.of_clusters(each.settling) for each in figures]
    assert on_clusters[0] == on_clusters[1] != []


def test_what_stood_as_spurious_in_the_rounds_before_is_corrected_again(project):
    first = small.add_critique(project, small.add_checkpoint(project))
    asked = RealignmentParameters(critique_id=first, epochs=1, batch_size=4, control=False)
    one = small.ended(project, asked)
    second = small.add_critique(project, UUID(one.result["checkpoint_id"]), "bo")
    two = small.ended(project, asked.model_copy(update={"critique_id": second}))
    third = small.add_critique(project, UUID(two.result["checkpoint_id"]), "cy")
    found, earlier = material_of(two), material_of(one)
    assert earlier.earlier == {}
    assert found.earlier == {id_: numbers for id_, numbers in earlier.spurious.items() if numbers} != {}
    assert earlier.relevant.items() <= found.relevant.items()
    with reading() as session:
        assert list(critiques_before(session, third)) == [second, first]
        both, before = correction_of(session, found), correction_of(session, earlier)
        alone = correction_of(session, found.model_copy(update={"spurious": dict.fromkeys(found.spurious, ())}))
    # The same pictures were explained in either round: each is there once, under the masks of both.
    assert [row.id for row in both.rows] == [row.id for row in before.rows]
    assert both.masks(INPUT).equal(torch.maximum(both.covering(INPUT, both.spurious), before.masks(INPUT)))
    assert alone.masks(INPUT).equal(before.masks(INPUT))
    assert alone.with_spurious() == before.with_spurious() != []


def test_a_picture_that_only_an_earlier_round_explained_is_corrected_again_too(project):
    first = small.add_critique(project, small.add_checkpoint(project))
    one = small.ended(project, RealignmentParameters(critique_id=first, epochs=1, batch_size=4, control=False))
    with reading() as session:
        earlier = material_of(one)
        spurious = {id_: numbers for id_, numbers in earlier.spurious.items() if numbers}
        material = earlier.model_copy(update={"spurious": {}, "earlier": spurious})
        correction = correction_of(session, material)
    assert len(correction.rows) == len(spurious) > 0
    assert correction.again == []
    assert correction.masks(INPUT).flatten(1).any(dim=1).all()


def test_an_earlier_round_counts_as_people_see_it_by_now(project):
    first = small.add_critique(project, small.add_checkpoint(project))
    one = small.ended(project, RealignmentParameters(critique_id=first, epochs=1, batch_size=4, control=False))
    realigned = UUID(one.result["checkpoint_id"])
    second = small.add_critique(project, realigned, "bo")
    change_everything(project, first)
    measured = small.ended(project, EvaluationParameters(checkpoint_ids=(realigned,), critique_id=second))
    assert any(material_of(one).spurious.values())
    assert material_of(measured).earlier == {}
