import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Answer, Kind, Review, Run, User, Verdict
from app.models.figures import Estimate
from app.models.reliability import Curve, CurvePoint, Reliability, ThresholdFigures
from app.review.reliability import KEY, plot
from app.runs.parameters import CalibrationParameters
from tests import factories
from tests.app.conftest import Browser
from tests.factories import Loop


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


@pytest.fixture
def read(loop: Loop, page: Browser) -> Browser:
    """A clinician who has done the blind reading."""
    with transaction() as session:
        factories.read_blind(session, loop.critique, loop.clinician)
    return page


def address(loop: Loop) -> str:
    return f"/projects/{loop.project.id}/review/{loop.critique.id}/reliability"


def found(loop: Loop, **changes: object) -> Reliability:
    point = CurvePoint(predicted=0.9, spurious=Estimate(value=0.7, low=0.6, high=0.78, n=81))
    curve = Curve(error=Estimate(value=0.12, low=0.05, high=0.2, n=81), by_chance=0.031, points=(point,))
    told = {
        "critique_id": loop.critique.id,
        "answers": 24,
        "regions": 300,
        "answered": 81,
        "images": 20,
        "blind": Estimate(value=0.1, low=0.0, high=0.3, n=24),
        "method": "temperature",
        "temperature": 2.5,
        "why": "",
        "raw": curve,
        "calibrated": curve.model_copy(update={"error": Estimate(value=0.02, low=0.0, high=0.07, n=81)}),
        "passes_agree": Estimate(missing="each picture was asked about once"),
        "passes_differ": Estimate(missing="each picture was asked about once"),
        "thresholds": ThresholdFigures(
            target=0.05,
            certainty=0.9,
            uncertain_from=0.123,
            uncertain_to=0.877,
            wrong=Estimate(value=0.02, low=0.0, high=0.049, n=50),
            wrong_spurious=Estimate(value=0.0, low=0.0, high=0.1, n=20),
            wrong_relevant=Estimate(value=1 / 30, low=0.0, high=0.2, n=30),
            uncertain=0.21,
            uncertain_now=0.09,
        ),
    }
    return Reliability.model_validate({**told, **changes})


def store(loop: Loop, told: Reliability) -> None:
    with transaction() as session:
        parameters = CalibrationParameters(critique_id=loop.critique.id)
        run = factories.add_run(session, loop.project, parameters, Kind.CALIBRATION, loop.clinician)
        run.result = {KEY: told.model_dump(mode="json")}


def runs(kind: Kind) -> list[Run]:
    with reading() as session:
        return list(session.scalars(select(Run).where(Run.kind == kind).order_by(Run.created_at)))


def test_it_stays_closed_until_the_blind_reading_is_done(loop: Loop, page: Browser) -> None:
    store(loop, found(loop))
    answer = page.get(address(loop))
    assert answer.status_code == 409
    assert "First comes your blind reading: 24 of its cases are open." in answer.text
    assert "0.877" not in answer.text


def test_a_comparison_is_asked_for_once(loop: Loop, read: Browser) -> None:
    text = read.get(address(loop)).text
    assert "Compare with people’s answers" in text
    for _ in range(2):
        assert read.change(address(loop), data={}).headers["location"] == address(loop)
    (run,) = runs(Kind.CALIBRATION)
    assert run.parameters["critique_id"] == str(loop.critique.id)
    assert "Comparing the judge’s probabilities with people’s answers" in read.get(address(loop)).text


def test_a_calibration_under_way_stops_neither_the_review_nor_the_loop(loop: Loop, read: Browser) -> None:
    read.change(address(loop), data={})
    text = read.get(f"/projects/{loop.project.id}/review").text
    assert 'id="say-spurious"' in text
    assert "See the work under way" not in text


def test_every_figure_stands_with_its_n_and_its_interval(loop: Loop, read: Browser) -> None:
    store(loop, found(loop))
    text = re.sub(r"[\N{NARROW NO-BREAK SPACE}\N{NO-BREAK SPACE}]", " ", read.get(address(loop)).text)
    for words in (
        "12 % (5–20, n = 81)",
        "2 % (0–7, n = 81)",
        "10 % (0–30, n = 24)",
        "3.1 %",
        "60–78",
        "temperature 2.5",
    ):
        assert words in text, words
    assert text.count("0.123") >= 2
    assert "of 50 such regions with an answer 1 were judged wrongly" in " ".join(text.split())
    assert "came since" not in text
    assert "judged rightly" not in text


def test_later_answers_make_it_old(loop: Loop, read: Browser) -> None:
    store(loop, found(loop))
    with transaction() as session:
        cluster = session.scalars(select(Verdict.cluster_id)).first()
        session.add(
            Review(
                cluster_id=cluster,
                user_id=loop.clinician.id,
                run_id=loop.critique.id,
                answer=Answer.RELEVANT,
                blind=False,
            )
        )
    assert "1 answer came since." in read.get(address(loop)).text


def test_too_few_answers_show_no_correction_and_no_button(loop: Loop, read: Browser) -> None:
    told = found(loop, method="identity", temperature=None, why="Fewer than 20.")
    few = told.thresholds.model_copy(
        update={"uncertain_from": None, "uncertain_to": None, "uncertain": None, "missing": "At least 45 are needed."}
    )
    store(loop, told.model_copy(update={"thresholds": few}))
    text = read.get(address(loop)).text
    assert "Fewer than 20." in text
    assert "No thresholds follow from people’s answers yet. At least 45 are needed." in text
    assert "orrected" not in text
    assert "Ask the critic again with these thresholds" not in text


def test_the_thresholds_become_those_of_the_next_critique(loop: Loop, read: Browser) -> None:
    store(loop, found(loop))
    assert 'name="uncertain_to" value="0.877"' in read.get(address(loop)).text
    asked = {"passes": "3", "uncertain_from": "0.123", "uncertain_to": "0.877"}
    assert read.change(f"/projects/{loop.project.id}/specification/critique", data=asked).status_code == 303
    parameters = runs(Kind.CRITIQUE)[-1].parameters
    assert [parameters[name] for name in asked] == [3, 0.123, 0.877]


@pytest.mark.parametrize(
    "asked", [{"passes": "6"}, {"passes": "0"}, {"uncertain_from": "0.7"}, {"uncertain_to": "1.1"}]
)
def test_a_critique_that_makes_no_sense_is_not_started(loop: Loop, read: Browser, asked: dict[str, str]) -> None:
    before = len(runs(Kind.CRITIQUE))
    assert read.change(f"/projects/{loop.project.id}/specification/critique", data=asked).status_code == 422
    assert len(runs(Kind.CRITIQUE)) == before


def test_a_corrected_probability_stands_beside_the_verdict_after_the_blind_reading(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        for verdict in session.scalars(select(Verdict)):
            verdict.p_calibrated, verdict.calibrated_on, verdict.agreement = 0.7654, 43, 2 / 3
    review = f"/projects/{loop.project.id}/review"
    text = page.get(review).text
    assert ".77" not in text
    assert "passes agree" not in text
    with transaction() as session:
        factories.read_blind(session, loop.critique, loop.clinician)
    text = page.get(review).text
    assert "P(spurious) by people’s answers: .77 (n = 43)." in text
    assert "of the passes agree" in text
    assert address(loop) in text


def test_a_dot_lies_where_its_figures_say(loop: Loop) -> None:
    drawn = plot(found(loop))
    (dot,) = drawn.raw
    places = [drawn.left + 0.9 * drawn.side, *(drawn.top + share * drawn.side for share in (0.3, 0.22, 0.4))]
    assert [dot.x, dot.y, dot.high, dot.low] == pytest.approx(places, abs=0.06)
    assert [percent for _, _, percent in drawn.ticks] == [0, 25, 50, 75, 100]
