from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.check.honeypots import ReaderScore, Score, newest_score, reader_scores
from app.db import reading, transaction
from app.models import Answer, Honeypot, HoneypotCase, Kind, Named, Project, Run, User, VerdictValue
from app.review.actions import record_answer, take_back
from tests import checked, factories
from tests.app.conftest import Browser
from tests.factories import Loop, add_honeypots, add_project, whole_loop
from worker.benchmarks.own_database import counted

SPURIOUS, RELEVANT = VerdictValue.SPURIOUS, VerdictValue.RELEVANT
IGNORED, USED = Named


@pytest.fixture
def loop(stored: None) -> Loop:
    with transaction() as session:
        return whole_loop(session, per_class=2)


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def plant(loop: Loop, lvlm: str = "embedded", words: str = "a letter") -> list[Honeypot]:
    with transaction() as session:
        return checked.plant(session, loop, lvlm, words)


def score(loop: Loop) -> Score | None:
    with reading() as session:
        return newest_score(session, session.get_one(Project, loop.project.id))


@pytest.mark.usefixtures("database")
def test_both_sides_are_scored_with_their_n(loop: Loop) -> None:
    assert score(loop) is None
    plant(loop)
    found = score(loop)
    assert found is not None
    assert (found.caught.value, found.caught.n) == (1, 2)
    assert (found.spared.value, found.spared.n) == (0.5, 2)
    assert found.shown[0].value.value != found.shown[0].named.value


def test_what_another_lvlm_said_is_no_score_of_this_one(loop: Loop) -> None:
    plant(loop, lvlm="transformers:/models/llava")
    assert score(loop) is None


def test_the_page_shows_the_score_and_what_was_said_as_data(loop: Loop, page: Browser) -> None:
    address = f"/projects/{loop.project.id}/check"
    assert "Nothing was planted yet" in page.get(address).text
    made = plant(loop, words="<b>a letter</b>")
    shown = page.get(address).text
    assert "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}2" in shown
    assert "&lt;b&gt;a letter" in shown
    assert "true: relevant" in shown
    picture = page.get(f"{address}/honeypots/{made[0].id}/picture")
    assert (picture.status_code, picture.content[:4]) == (200, b"\x89PNG")
    with counted() as statements:
        page.get(address)
    assert len(statements) <= 12, "\n".join(statements)


def test_a_planted_picture_is_given_to_its_own_project_alone(loop: Loop, page: Browser) -> None:
    made = plant(loop)
    with transaction() as session:
        other = add_project(session, "Hips")
    assert page.get(f"/projects/{other.id}/check/honeypots/{made[0].id}/picture").status_code == 404
    assert page.get(f"/projects/{loop.project.id}/check/honeypots/{uuid4()}/picture").status_code == 404


def test_honeypots_are_planted_in_the_pictures_of_a_critique_of_this_project(loop: Loop, page: Browser) -> None:
    address = f"/projects/{loop.project.id}/check/honeypots"
    assert page.change(address, data={"critique_id": str(loop.critique.id)}).status_code == 303
    assert page.change(address, data={"critique_id": str(loop.analysis.id)}).status_code == 404
    with reading() as session:
        runs = session.scalars(select(Run).where(Run.kind == Kind.HONEYPOT)).all()
    assert [run.parameters["critique_id"] for run in runs] == [str(loop.critique.id)]
    assert "Planting artefacts in copies of the pictures" in page.get(f"/projects/{loop.project.id}/check").text
    with transaction() as session:
        session.get_one(Project, loop.project.id).lvlm = "none"
    assert page.change(address, data={"critique_id": str(loop.critique.id)}).status_code == 409


@pytest.fixture
def cases(loop: Loop) -> list[HoneypotCase]:
    """Two that are spurious, two that are relevant."""
    with transaction() as session:
        made = add_honeypots(session, loop, 4)
    return sorted(made, key=lambda case: case.truth is Named.RELEVANT)


def say(loop: Loop, reader: User, cases: list[HoneypotCase], *answers: Answer) -> None:
    with transaction() as session:
        for case, answer in zip(cases, answers, strict=True):
            record_answer(session, loop.critique, reader, case.id, answer)


def readers(loop: Loop) -> list[ReaderScore]:
    with reading() as session:
        return reader_scores(session, session.get_one(Project, loop.project.id))


def read_the_rest(loop: Loop, reader: User) -> None:
    with transaction() as session:
        factories.read_blind(session, loop.critique, reader)


@pytest.mark.usefixtures("database")
def test_each_reader_is_scored_on_what_they_answered_with_its_n_and_interval(
    loop: Loop, cases: list[HoneypotCase]
) -> None:
    assert readers(loop) == []
    say(loop, loop.clinician, cases, Answer.SPURIOUS, Answer.CANT_TELL, Answer.RELEVANT, Answer.RELEVANT)
    say(loop, loop.engineer, cases[:2], Answer.SPURIOUS, Answer.SPURIOUS)
    ada, grace = readers(loop)
    assert (ada.name, ada.right.value, ada.right.n, ada.cant_tell) == ("Dr. Ada Reader", 0.75, 4, 1)
    assert ada.right.low == pytest.approx(0.3006, abs=1e-4)
    assert ada.right.high == pytest.approx(0.9544, abs=1e-4)
    assert (ada.sensitivity.value, ada.sensitivity.n) == (0.5, 2)
    assert (ada.specificity.value, ada.specificity.n) == (1, 2)
    assert (grace.name, grace.sensitivity.value, grace.sensitivity.n) == ("Grace Engineer", 1, 2)
    assert (grace.specificity.value, grace.specificity.missing) == (None, "nothing was counted yet")


@pytest.mark.usefixtures("database")
def test_the_newest_answer_counts_and_what_was_taken_back_does_not(loop: Loop, cases: list[HoneypotCase]) -> None:
    say(loop, loop.clinician, cases[:2], Answer.RELEVANT, Answer.RELEVANT)
    say(loop, loop.clinician, cases[:1], Answer.SPURIOUS)
    (score,) = readers(loop)
    assert (score.right.value, score.right.n) == (0.5, 2)
    with transaction() as session:
        for _ in range(2):
            take_back(session, loop.critique, loop.clinician)
    assert readers(loop) == []


def test_the_page_shows_readers_beside_critic_and_judge_to_whoever_may_see_that_page(
    loop: Loop, page: Browser, cases: list[HoneypotCase], signed_in: Callable[[User], Browser]
) -> None:
    plant(loop)
    address = f"/projects/{loop.project.id}/check"
    assert "Readers on planted cases" not in page.get(address).text
    with transaction() as session:
        session.get_one(User, loop.clinician.id).display_name = "Dr. <Ada>"
    say(loop, loop.clinician, cases, Answer.SPURIOUS, Answer.CANT_TELL, Answer.RELEVANT, Answer.RELEVANT)
    read_the_rest(loop, loop.clinician)
    for browser in (page, signed_in(loop.engineer)):
        text = browser.get(address).text
        row = text.split("<td>Dr. &lt;Ada&gt;")[1].split("</tr>")[0]
        assert "75" in row
        assert [
            n in row for n in ("n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}4", "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}2")
        ] == [True, True]
        assert "Judged spurious where it was to be ignored" in text
    with counted() as statements:
        page.get(address)
    assert len(statements) <= 12, "\n".join(statements)


def test_a_reader_who_is_still_blind_learns_neither_the_score_nor_what_was_planted(
    loop: Loop, page: Browser, cases: list[HoneypotCase], signed_in: Callable[[User], Browser]
) -> None:
    made = plant(loop, words="a planted letter")
    address = f"/projects/{loop.project.id}/check"
    picture = f"{address}/honeypots/{made[0].id}/picture"
    say(loop, loop.engineer, cases, *[Answer.SPURIOUS] * 4)
    engineers = signed_in(loop.engineer)
    for reader, browser in ((loop.clinician, page), (loop.engineer, engineers)):
        text = browser.get(address).text
        assert "Open once your first reading is done" in text
        assert "a planted letter" not in text
        assert "Grace Engineer" not in text.split("<main")[1]
        assert browser.get(picture).status_code == 409
        if reader is loop.clinician:
            say(loop, reader, cases, *[Answer.RELEVANT] * 4)
        read_the_rest(loop, reader)
        text = browser.get(address).text
        assert "a planted letter" in text
        assert "Grace Engineer" in text.split("<main")[1]
        assert browser.get(picture).status_code == 200
