from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.languages.catalogue import reading_in
from app.languages.stored import stored
from app.models import (
    AgreedVerdict,
    Answer,
    Critique,
    Explanation,
    Image,
    Kind,
    Project,
    Review,
    Run,
    Source,
    State,
    TargetClass,
    User,
    Verdict,
    VerdictValue,
    consensus_record,
)
from app.models.figures import Estimate
from app.realignment import doubts
from app.realignment.doubts import Found, found_of
from app.realignment.ingredients import Ingredients
from app.runs.actions import start_run
from app.runs.parameters import ConsensusParameters, RealignmentParameters
from app.statistics import wilson
from app.trust.lock import LockedError, record_of
from tests.app.conftest import Browser
from tests.app.realignment.test_page import FORM, address, plain, started
from tests.factories import Loop, add_run, whole_loop
from tests.trusted import read_sample
from worker.benchmarks.own_database import counted
from worker.tasks.job import RefusedError
from worker.tasks.realign import refuse_harm

GOOD = Found(
    ingredients=Ingredients(200, 40, 50, 150, 0, 0, 0),
    kappa=Estimate(value=0.6, low=0.3, high=0.9, n=24),
    fell_back="",
    differ=wilson(20, 200),
    without=(),
)


@pytest.fixture
def loop(sqlite: None) -> Loop:
    with transaction() as session:
        return whole_loop(session)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"ingredients": Ingredients(200, 5, 50, 150, 0, 0, 0)},
            "Only 5 pictures have a spurious region, too few to learn from: at least 6 are needed.",
        ),
        ({"ingredients": Ingredients(200, 1, 50, 150, 0, 0, 0)}, "Only 1 picture has a spurious region"),
        ({"fell_back": consensus_record.NO_PATTERN}, "The judge’s verdicts look like noise"),
        ({"differ": wilson(92, 200)}, "Similar regions say otherwise than the judge on 46 % of the regions (n = 200)."),
        (
            {"kappa": Estimate(value=0.09, low=-0.3, high=0.5, n=12), "differ": Estimate(missing="not measured")},
            "hardly more than by chance: kappa 0.09",
        ),
        (
            {"kappa": Estimate(value=0.09, low=-0.3, high=0.5, n=12), "fell_back": consensus_record.ONE_VERDICT},
            "hardly more than by chance: kappa 0.09",
        ),
        ({"kappa": Estimate(value=-0.4, low=-0.7, high=-0.1, n=24)}, "hardly more than by chance: kappa −0.40"),
        ({"without": ("benign", "malignant")}, "nobody has seen what the model goes by there: benign, malignant."),
    ],
)
def test_each_speaks_against_a_training_alone(changed: dict[str, object], words: str) -> None:
    (doubt,) = doubts.doubts(replace(GOOD, **changed))  # type: ignore[arg-type]
    assert words in doubt.sentence.replace("\N{NARROW NO-BREAK SPACE}", " ")
    with reading_in("de"):  # as a run keeps it, which Compare and a report tell later
        assert stored(doubt.sentence) != doubt.sentence
    assert doubt.tells_judge == (set(changed) <= {"fell_back", "differ", "kappa"})


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"ingredients": Ingredients(200, 6, 50, 150, 0, 0, 0)},
        {"differ": wilson(90, 200)},
        {"differ": Estimate(missing="not measured"), "kappa": Estimate(missing="nobody has read blind yet")},
        {"kappa": Estimate(value=0.0, low=-0.5, high=0.5, n=11), "differ": Estimate(missing="not measured")},
        {"kappa": Estimate(value=0.0, low=-0.5, high=0.5, n=24)},  # similar regions bear the judge out
        {"fell_back": consensus_record.FEW_IMAGES},
    ],
)
def test_what_is_good_enough_or_not_measured_speaks_against_nothing(changed: dict[str, object]) -> None:
    assert doubts.doubts(replace(GOOD, **changed)) == []  # type: ignore[arg-type]


def noise(loop: Loop) -> None:
    with transaction() as session:
        run = add_run(session, loop.project, ConsensusParameters(critique_id=loop.critique.id), Kind.CONSENSUS)
        run.state = State.SUCCEEDED
        run.result = {"fell_back": consensus_record.NO_PATTERN, "difference": {"clusters": 200, "differ": 20}}
        judged = select(Verdict, Explanation.id, Image.class_id).join(Critique, Critique.id == Verdict.critique_id)
        judged = judged.join(Explanation, Explanation.id == Critique.explanation_id).join(
            Image, Image.id == Explanation.image_id
        )
        for place, (verdict, explanation_id, class_id) in enumerate(session.execute(judged).all(), 1):
            agreed = AgreedVerdict(
                run_id=run.id, cluster_id=verdict.cluster_id, value=verdict.value, kind=0, place=place
            )
            agreed.explanation_id, agreed.class_id, agreed.source = explanation_id, class_id, Source.JUDGE
            agreed.p_spurious, agreed.overruled, agreed.nearest = verdict.p_spurious, False, []
            session.add(agreed)


def few_pictures(loop: Loop) -> None:
    """A reader finds all but two of the spurious regions relevant."""
    with transaction() as session:
        verdicts = session.scalars(select(Verdict).where(Verdict.value == VerdictValue.SPURIOUS).order_by(Verdict.id))
        for verdict in verdicts.all()[2:]:
            said = Review(cluster_id=verdict.cluster_id, user_id=loop.clinician.id, run_id=loop.critique.id)
            said.answer, said.blind = Answer.RELEVANT, False
            session.add(said)


def test_what_there_is_is_counted_from_the_rows(loop: Loop) -> None:
    with transaction() as session:
        read_sample(session, loop.critique, loop.clinician, wrong=12)
        session.add(TargetClass(project_id=loop.project.id, position=2, name="unseen"))
    noise(loop)
    with reading() as session:
        found = found_of(session, session.get_one(Run, loop.critique.id))
    assert found.fell_back == consensus_record.NO_PATTERN
    assert found.kappa.value == pytest.approx(0.0, abs=0.1)
    assert (found.differ.value, found.differ.n) == (0.1, 200)
    assert found.without == ["unseen"]
    assert found.ingredients.clusters == sum(len(each.clusters) for each in loop.explanations)
    assert len(doubts.doubts(found)) == 3


def test_the_page_says_so_before_and_starts_nothing(loop: Loop, signed_in: Callable[[User], Browser]) -> None:
    few_pictures(loop)
    page = signed_in(loop.engineer)
    text = plain(page.get(address(loop)).text)
    assert "This would be trained on doubtful ground." in text
    assert "Only 2 pictures have a spurious region" in text
    assert "Write down the bar and realign" not in text
    answer = page.change(
        address(loop), data={**FORM, "critique_id": str(loop.critique.id), "override": "I am in a hurry."}
    )
    assert answer.status_code == 409
    assert "Only 2 pictures have a spurious region" in answer.text
    assert started() == []


def test_a_reader_who_is_still_to_read_blind_is_not_told_how_the_judge_does(
    loop: Loop, signed_in: Callable[[User], Browser]
) -> None:
    noise(loop)
    told = plain(signed_in(loop.clinician).get(address(loop)).text)
    assert "why is shown once your own blind reading is done" in told
    assert "look like noise" not in told
    assert "look like noise" in plain(signed_in(loop.engineer).get(address(loop)).text)


def test_an_owner_goes_on_with_a_reason_that_stays(loop: Loop, signed_in: Callable[[User], Browser]) -> None:
    few_pictures(loop)
    with transaction() as session:
        session.get_one(Project, loop.project.id).created_by_id = loop.engineer.id
    owner = signed_in(loop.engineer)
    assert "Realign all the same" in plain(owner.get(address(loop)).text)
    asked = {**FORM, "critique_id": str(loop.critique.id)}
    assert owner.change(address(loop), data=asked).status_code == 409
    assert owner.change(address(loop), data={**asked, "override": "A rehearsal."}).status_code == 303
    (run,) = started()
    record = record_of(run)
    assert record is not None
    assert (record.override, record.overridden_by, record.locked) == ("A rehearsal.", "Grace Engineer", "")
    assert [each[:15] for each in record.doubts] == ["Only 2 pictures"]
    with reading() as session:
        refuse_harm(session, run, loop.critique.id)


def test_a_run_under_which_the_verdicts_changed_refuses_before_it_trains(loop: Loop) -> None:
    asked = RealignmentParameters(critique_id=loop.critique.id)
    with transaction() as session:
        run = start_run(session, loop.project.id, asked)
    few_pictures(loop)
    with reading() as session, pytest.raises(RefusedError, match="Only 2 pictures have a spurious region"):
        refuse_harm(session, run, loop.critique.id)
    with transaction() as session, pytest.raises(LockedError, match="Only 2 pictures"):
        start_run(session, loop.project.id, asked)


def test_the_page_takes_at_most_twelve_statements_with_every_doubt(
    loop: Loop, signed_in: Callable[[User], Browser]
) -> None:
    few_pictures(loop)
    noise(loop)
    page = signed_in(loop.engineer)
    with counted() as statements:
        assert page.get(address(loop)).status_code == 200
    assert len(statements) <= 12, "\n".join(statements)
