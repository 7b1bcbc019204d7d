"""Planted cases for readers: drawn once a critique, met by nobody but readers, and never trained on."""

from collections.abc import Iterator
from io import BytesIO
from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image as Picture
from sqlalchemy import func, select

from app.db import reading, transaction
from app.models import (
    AgreedVerdict,
    Answer,
    Cluster,
    Critique,
    Explanation,
    Honeypot,
    HoneypotAnswer,
    HoneypotCase,
    Image,
    Named,
    Review,
    Run,
    Specification,
    State,
    Verdict,
    VerdictValue,
)
from app.review.actions import record_answer
from app.review.blind import sampled
from app.review.reliability import KEY
from app.review.standing import standings
from app.runs.parameters import CalibrationParameters, ConsensusParameters, HoneypotParameters
from app.storage import storage
from tests import factories
from tests.factories import Loop
from tests.worker.lvlm.answering import Server
from tests.worker.tasks import small
from tests.worker.tasks.test_plant import planted, server
from worker.method.critic import ClassSpecification
from worker.tasks import characterise
from worker.tasks.cases import Explained
from worker.tasks.corrections import correction_of
from worker.tasks.honeypot_cases import as_shown, chosen
from worker.tasks.inputs import load_assignment
from worker.tasks.material import Material, called

__all__ = ["server"]  # a fixture
pytestmark = pytest.mark.usefixtures("sqlite")
SILENT, OUTSPOKEN = uuid4(), uuid4()  # classes


@pytest.fixture
def loop() -> Loop:
    with transaction() as session:
        return factories.whole_loop(session)


@pytest.fixture
def lvlm(server: Server) -> str:
    return f"openai:m@{server.url}"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the describing network, which takes most of a consensus's time."""
    monkeypatch.setattr(characterise, "describing_network", lambda: None)
    return


def cases() -> list[HoneypotCase]:
    with reading() as session:
        return list(session.scalars(select(HoneypotCase).order_by(HoneypotCase.id)))


def clusters_of(explanation_id: UUID) -> dict[int, Cluster]:
    with reading() as session:
        mine = select(Cluster).where(Cluster.explanation_id == explanation_id)
        return {cluster.number: cluster for cluster in session.scalars(mine)}


def test_one_case_in_seven_is_planted_half_of_them_spurious_among_the_sample(loop: Loop, lvlm: str) -> None:
    run = planted(loop, lvlm)
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    with reading() as session:
        sample = set(session.scalars(select(sampled(loop.critique).c.cluster_id)))
    made = cases()
    assert (len(sample), len(made)) == (24, 4)
    assert sorted(case.truth.value for case in made) == ["relevant"] * 2 + ["spurious"] * 2
    assert all((case.mark == "star") == (case.truth is Named.RELEVANT) for case in made)
    assert all(case.id < max(sample) for case in made)
    assert all(case.id.version == 4 for case in made)
    assert {(case.run_id, case.critique_id) for case in made} == {(run.id, loop.critique.id)}


def test_a_copy_has_as_many_regions_as_its_image_and_the_marked_one_bears_an_old_number(loop: Loop, lvlm: str) -> None:
    planted(loop, lvlm)
    for case in cases():
        clusters = clusters_of(case.explanation_id)
        assert case.regions == len(clusters)
        cluster = clusters[case.number]
        assert (case.share, case.effect, case.odds_fall) == (cluster.share, cluster.effect, cluster.odds_fall)
        cells = load_assignment(case.assignment)
        assert set(np.unique(cells)) - {0} <= set(clusters)
        assert (cells == case.number).any()
        with reading() as session:
            blob = session.scalar(select(Image.blob).join(Explanation).where(Explanation.id == case.explanation_id))
        assert blob is not None
        before, after = np.asarray(as_shown(blob)), np.asarray(Picture.open(BytesIO(storage().get(case.picture))))
        assert before.shape == after.shape
        changed = (before != after).any(axis=2)
        assert 0 < changed.mean() < 0.05


def test_pictures_that_are_read_as_they_are_or_shown_on_the_page_of_the_check_come_last(loop: Loop, lvlm: str) -> None:
    planted(loop, lvlm)
    with reading() as session:
        asked = set(session.scalars(select(Honeypot.explanation_id)))
        in_sample = select(sampled(loop.critique).c.cluster_id)
        read = set(session.scalars(select(Cluster.explanation_id).where(Cluster.id.in_(in_sample))))
    used = {case.explanation_id for case in cases()}
    free = {each.id for each in loop.explanations} - read - asked
    assert len(asked) == 3
    assert used <= free or free <= used


def test_of_those_the_first_ones_are_taken_and_what_the_words_speak_of_is_left_out() -> None:
    def row(cluster_id: UUID, class_id: UUID = SILENT) -> Explained:
        return Explained(uuid4(), class_id, "a", "", "", {1: cluster_id}, {1: 0.5})

    ids = [uuid4() for _ in range(5)]
    rows = [row(ids[0]), row(ids[1], OUTSPOKEN), row(ids[2]), row(ids[3]), row(ids[4])]
    words = {OUTSPOKEN: ClassSpecification("a", "a letter, a patch, a box or a star", "")}
    found = list(chosen(rows, words, {ids[0]}, 4))
    assert [each for each, *_ in found] == [rows[2], rows[3], rows[4], rows[0]]
    assert [truth for *_, truth in found] == ["spurious", "relevant", "spurious", "relevant"]
    assert [mark == "star" for _, mark, _ in found] == [False, True, False, True]
    assert list(chosen(rows, words, set(), 0)) == []


def test_what_is_planted_again_is_for_the_lvlm_alone(loop: Loop, lvlm: str) -> None:
    first, _ = planted(loop, lvlm), planted(loop, lvlm)
    assert {case.run_id for case in cases()} == {first.id}
    assert len(cases()) == 4


def test_a_specification_that_speaks_of_stars_leaves_only_what_is_spurious(loop: Loop, lvlm: str) -> None:
    with transaction() as session:
        entries = session.get_one(Specification, loop.specification.id)
        session.refresh(entries, ["entries"])
        for entry in entries.entries:
            entry.relevant = "a star"
    planted(loop, lvlm)
    assert [case.truth for case in cases()] == [Named.SPURIOUS]


def test_without_an_lvlm_nothing_is_planted_for_readers_either(loop: Loop) -> None:
    assert planted(loop, "none").state is State.FAILED
    assert cases() == []


def everything(loop: Loop) -> dict[str, object]:
    """What a consensus agrees on, what a calibration finds, and what a realignment is then made from."""
    consensus = small.ended(loop.project, ConsensusParameters(critique_id=loop.critique.id))
    calibration = small.ended(loop.project, CalibrationParameters(critique_id=loop.critique.id))
    for run in (consensus, calibration):
        assert run.state is State.SUCCEEDED, run.error + run.error_details
    with reading() as session:
        agreed = select(AgreedVerdict).where(AgreedVerdict.run_id == consensus.id).order_by(AgreedVerdict.cluster_id)
        rows = [
            (row.cluster_id, row.value, row.p_spurious, row.source, row.place, row.reason_id, row.nearest)
            for row in session.scalars(agreed)
        ]
        spurious = called(standings(session, loop.critique.id), VerdictValue.SPURIOUS)
        return {
            "agreed": rows,
            "difference": (consensus.result["difference"], consensus.result["kinds"]),
            "calibration": calibration.result[KEY],
            "p_calibrated": session.execute(select(Verdict.id, Verdict.p_calibrated).order_by(Verdict.id)).all(),
            "spurious": spurious,
            "assignments": correction_of(session, Material(datasets=(), spurious=spurious)).assignments,
            "standings": standings(session, loop.critique.id),
            "rows": [
                session.scalar(select(func.count()).select_from(table))
                for table in (Image, Explanation, Cluster, Critique, Verdict, Review)
            ],
        }


@pytest.mark.usefixtures("quick")
def test_no_answer_of_a_reader_reaches_training_consensus_or_calibration(loop: Loop, lvlm: str) -> None:
    with transaction() as session:
        factories.read_blind(session, loop.critique, loop.engineer)
    before = everything(loop)
    planted(loop, lvlm)
    with transaction() as session:
        for case in cases():
            wrong = Answer.RELEVANT if case.truth is Named.SPURIOUS else Answer.SPURIOUS
            record_answer(session, loop.critique, loop.clinician, case.id, wrong)
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(HoneypotAnswer)) == 4
        trained = set(session.scalars(select(Image.blob))) | set(session.scalars(select(Explanation.assignment)))
    assert trained.isdisjoint(blob for case in cases() for blob in (case.picture, case.assignment))
    assert everything(loop) == before
    with transaction() as session:  # so that what is compared can differ at all
        first = min(session.scalars(select(sampled(loop.critique).c.cluster_id)))
        record_answer(session, loop.critique, loop.clinician, first, Answer.RELEVANT)
    after = everything(loop)
    assert all(after[name] != before[name] for name in ("agreed", "calibration", "spurious", "standings", "rows"))


def test_they_go_with_the_critique(loop: Loop, lvlm: str) -> None:
    small.ended(loop.project, HoneypotParameters(critique_id=loop.critique.id))
    with transaction() as session:
        session.delete(session.get_one(Run, cases()[0].critique_id))
    assert cases() == []
