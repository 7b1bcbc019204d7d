"""A calibration through its real stage, on drawn pictures that a made-up judge and made-up readers have judged."""

from collections.abc import Sequence
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Answer, Cluster, Critique, Explanation, Image, Review, Run, State, User, Verdict
from app.models.reliability import Reliability
from app.review.disagreements import settle_case
from app.review.reliability import KEY
from app.runs.parameters import CalibrationParameters, CritiqueParameters
from tests import factories
from tests.factories import Loop
from tests.worker.tasks import small
from worker.tasks.calibrate import answers_of

pytestmark = pytest.mark.usefixtures("sqlite")


@pytest.fixture
def loop() -> Loop:
    with transaction() as session:
        return factories.whole_loop(session, per_class=16)


def verdicts_of(loop: Loop) -> Sequence[tuple[Verdict, Image]]:
    with reading() as session:
        rows = session.execute(
            select(Verdict, Image)
            .join(Critique, Critique.id == Verdict.critique_id)
            .join(Cluster, Cluster.id == Verdict.cluster_id)
            .join(Explanation, Explanation.id == Cluster.explanation_id)
            .join(Image, Image.id == Explanation.image_id)
            .where(Critique.run_id == loop.critique.id)
            .order_by(Explanation.position, Cluster.number)
        ).all()
    return [(verdict, image) for verdict, image in rows]


def too_sure(loop: Loop) -> dict[str, Answer]:
    """Gives every verdict a probability of .99 or .01, right four times in five; returns the truth by cluster."""
    random, truth = Random(1), {}
    with transaction() as session:
        for verdict, _ in verdicts_of(loop):
            spurious = random.random() < 0.5
            right = random.random() < 0.8
            session.get_one(Verdict, verdict.id).p_spurious = 0.99 if spurious == right else 0.01
            truth[str(verdict.cluster_id)] = Answer.SPURIOUS if spurious else Answer.RELEVANT
    return truth


def answer(loop: Loop, answers: dict[str, Answer], reader: User | None = None, *, blind: bool = False) -> None:
    with transaction() as session:
        for verdict, _ in verdicts_of(loop):
            if str(verdict.cluster_id) in answers:
                session.add(
                    Review(
                        cluster_id=verdict.cluster_id,
                        user_id=(reader or loop.clinician).id,
                        run_id=loop.critique.id,
                        answer=answers[str(verdict.cluster_id)],
                        blind=blind,
                    )
                )


def calibrated(loop: Loop) -> Reliability:
    run = small.ended(loop.project, CalibrationParameters(critique_id=loop.critique.id))
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    return Reliability.model_validate(run.result[KEY])


def test_without_answers_nothing_is_learned_and_it_says_so(loop: Loop):
    found = calibrated(loop)
    assert (found.answered, found.method) == (0, "identity")
    assert found.raw.error.missing == "nothing was answered yet"
    assert found.why.startswith("Fewer than 20 reviewed regions")
    assert found.thresholds.missing.startswith("At least 53 reviewed regions are needed")
    assert {verdict.p_calibrated for verdict, _ in verdicts_of(loop)} == {None}


def test_a_judge_that_is_too_sure_is_corrected_beside_its_own_word(loop: Loop):
    answer(loop, too_sure(loop))
    before = {verdict.id: verdict.p_spurious for verdict, _ in verdicts_of(loop)}
    found = calibrated(loop)
    after = verdicts_of(loop)
    assert found.answered == found.regions == len(after) > 100
    assert (found.method in {"temperature", "isotonic"}, found.why) == (True, "")
    assert found.raw.error.low is not None
    assert found.raw.error.low > 0.08
    assert found.calibrated.error.value is not None
    assert found.calibrated.error.value < 0.06
    assert {verdict.id: verdict.p_spurious for verdict, _ in after} == before
    for verdict, _ in after:
        assert verdict.p_calibrated == pytest.approx(0.8 if verdict.p_spurious > 0.5 else 0.2, abs=0.12)
        assert verdict.calibrated_on is not None
        assert len(after) - 7 < verdict.calibrated_on < len(after)
    assert found.thresholds.missing.startswith("Of the ")


def test_a_judge_that_is_mostly_right_gets_thresholds_for_the_next_critique(loop: Loop):
    random, truth = Random(2), {}
    with transaction() as session:
        for verdict, _ in verdicts_of(loop):
            sure, spurious = random.random() < 0.7, random.random() < 0.5
            said = spurious if sure else random.random() < 0.5
            session.get_one(Verdict, verdict.id).p_spurious = (
                (0.97 if sure else 0.6) if said else 1 - (0.97 if sure else 0.6)
            )
            truth[str(verdict.cluster_id)] = Answer.SPURIOUS if spurious else Answer.RELEVANT
    answer(loop, truth)
    found = calibrated(loop).thresholds
    assert found.missing == ""
    assert found.uncertain_from is not None
    assert found.uncertain_to is not None
    assert 0.03 <= found.uncertain_from < 0.4
    assert 0.6 < found.uncertain_to <= 0.97
    assert found.wrong.high is not None
    assert found.wrong.high <= found.target
    assert found.uncertain == pytest.approx(0.3, abs=0.1)
    CritiqueParameters(
        analysis_id=loop.analysis.id,
        specification_id=loop.specification.id,
        uncertain_from=found.uncertain_from,
        uncertain_to=found.uncertain_to,
    )


def test_a_pictures_own_answers_never_correct_its_regions(loop: Loop):
    truth = too_sure(loop)
    answer(loop, truth)
    calibrated(loop)
    before = verdicts_of(loop)
    own = {verdict.cluster_id for verdict, image in before if image.id == before[0][1].id}
    turned = {Answer.SPURIOUS: Answer.RELEVANT, Answer.RELEVANT: Answer.SPURIOUS}
    answer(loop, {str(each): turned[truth[str(each)]] for each in own})
    calibrated(loop)
    for (was, _), (now, _) in zip(before, verdicts_of(loop), strict=True):
        if was.cluster_id in own:
            assert now.p_calibrated == was.p_calibrated
    assert any(
        now.p_calibrated != was.p_calibrated for (was, _), (now, _) in zip(before, verdicts_of(loop), strict=True)
    )


def test_pictures_of_one_patient_count_as_one(loop: Loop):
    answer(loop, too_sure(loop))
    assert calibrated(loop).images == 32
    with transaction() as session:
        for number, image in enumerate(session.scalars(select(Image).order_by(Image.id))):
            image.patient = str(number % 4)
    found = calibrated(loop)
    assert found.images == 4
    assert found.why != "", "four patients are too few to learn from"


def test_only_what_people_agree_on_is_taken_for_true(loop: Loop):
    truth = too_sure(loop)
    keys = list(truth)
    answer(loop, dict.fromkeys(keys[:6], Answer.SPURIOUS), blind=True)
    answer(loop, {keys[0]: Answer.RELEVANT, keys[1]: Answer.SPURIOUS, keys[2]: Answer.CANT_TELL}, loop.engineer)
    answer(loop, {keys[3]: Answer.WITHDRAWN, keys[4]: Answer.CANT_TELL})
    found = calibrated(loop)
    assert found.answered == 2
    assert (found.blind.n, found.answers) == (1, 11)


def test_no_word_of_the_judge_is_no_probability(loop: Loop):
    with transaction() as session:
        for verdict, _ in verdicts_of(loop)[:5]:
            session.get_one(Verdict, verdict.id).p_spurious = 0.5
    assert calibrated(loop).regions == len(verdicts_of(loop)) - 5
    with transaction() as session:
        for verdict, _ in verdicts_of(loop):
            session.get_one(Verdict, verdict.id).p_spurious = 0.5
    run = small.ended(loop.project, CalibrationParameters(critique_id=loop.critique.id))
    assert run.state is State.FAILED
    assert run.error.startswith("The judge gave no probability in this critique")


def test_where_passes_agreed_is_told_from_where_they_differed(loop: Loop):
    truth = too_sure(loop)
    with transaction() as session:
        for verdict, _ in verdicts_of(loop):
            judged_spurious = verdict.p_spurious > 0.5
            is_right = judged_spurious == (truth[str(verdict.cluster_id)] is Answer.SPURIOUS)
            session.get_one(Verdict, verdict.id).agreement = 1.0 if is_right else 2 / 3
    answer(loop, truth)
    found = calibrated(loop)
    assert (found.passes_agree.value, found.passes_differ.value) == (1.0, 0.0)
    assert found.passes_agree.n + found.passes_differ.n == found.answered


def test_a_calibration_done_twice_says_the_same(loop: Loop):
    answer(loop, too_sure(loop))
    assert calibrated(loop) == calibrated(loop)
    with reading() as session:
        assert len(session.scalars(select(Run).where(Run.kind == "calibration")).all()) == 2


def test_where_readers_differ_the_truth_is_the_adjudicators(loop: Loop):
    truth = too_sure(loop)
    first, *_ = truth
    with transaction() as session:
        second, third = (factories.add_user(session, name) for name in ("second", "third"))
    opposite = {Answer.SPURIOUS: Answer.RELEVANT, Answer.RELEVANT: Answer.SPURIOUS}[truth[first]]
    answer(loop, truth, blind=True)
    answer(loop, {first: opposite}, second, blind=True)
    with reading() as session:
        truths, blind = answers_of(session, loop.critique)
    assert (len(truths), len(blind)) == (len(truth) - 1, len(truth) - 1)
    with transaction() as session:
        settle_case(session, loop.critique, third, UUID(first), opposite)
    with reading() as session:
        truths, blind = answers_of(session, loop.critique)
    assert truths[UUID(first)] == (1.0 if opposite is Answer.SPURIOUS else 0.0)
    assert blind == truths.keys() - {UUID(first)}
