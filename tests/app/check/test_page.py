"""The check's page, and the line that a project's pages carry until its LVLM has passed."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.check.standing import FAILED, NEVER, OTHER_WEIGHTS, Standing
from app.db import reading, transaction
from app.models import Kind, LVLMCheck, Project, Run, User
from app.projects.queries import loop_state
from app.runs.parameters import CheckParameters
from tests.app.conftest import Browser
from tests.checked import IDENTITY, add_check
from tests.factories import Loop, add_project, add_run, whole_loop
from worker.benchmarks.own_database import counted

PAGES = ("behaviour", "specification", "review", "realign", "compare")


@pytest.fixture
def loop(stored: None) -> Loop:
    with transaction() as session:
        return whole_loop(session, per_class=2)


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def check(loop: Loop, passed: bool = True, identity: str = IDENTITY, words: str = "a grey square") -> LVLMCheck:
    with transaction() as session:
        return add_check(session, session.get_one(Project, loop.project.id), passed, identity, words)


def answered_by(loop: Loop, identity: str) -> None:
    with transaction() as session:
        run = session.get_one(Run, loop.critique.id)
        run.result = {"lvlm": "embedded", "lvlm_identity": identity}


def standing(loop: Loop) -> Standing:
    with reading() as session:
        return loop_state(session, session.get_one(Project, loop.project.id)).lvlm


def text(page: Browser, loop: Loop, name: str) -> str:
    answer = page.get(f"/projects/{loop.project.id}/{name}")
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_carries_unchecked_words_says_so_and_leads_to_the_check(
    loop: Loop, page: Browser, name: str
) -> None:
    assert NEVER in text(page, loop, name)
    assert f'href="/projects/{loop.project.id}/check"' in text(page, loop, name)
    check(loop, passed=False)
    assert FAILED in text(page, loop, name)
    check(loop)
    assert 'class="message unproven"' not in text(page, loop, name)


def test_the_newest_check_counts(loop: Loop) -> None:
    check(loop)
    assert standing(loop).unproven == ""
    check(loop, passed=False)
    assert standing(loop).unproven == FAILED


@pytest.mark.usefixtures("database")
def test_words_of_other_weights_than_those_checked_are_unproven(loop: Loop) -> None:
    check(loop)
    answered_by(loop, IDENTITY.replace("cpu", "cuda"))
    assert standing(loop).unproven == ""
    answered_by(loop, "transformers:fedcba, float32 on cpu, temperature 1.0")
    assert standing(loop).unproven == OTHER_WEIGHTS
    check(loop, identity="transformers:fedcba, float32 on cpu, temperature 1.0")
    assert standing(loop).unproven == ""


def test_a_check_of_another_lvlm_or_of_another_project_proves_nothing(loop: Loop) -> None:
    with transaction() as session:
        add_check(session, add_project(session, "Hips"))
    assert standing(loop).unproven == NEVER
    check(loop)
    with transaction() as session:
        session.get_one(Project, loop.project.id).lvlm = "transformers:/models/llava"
    assert standing(loop).unproven == NEVER


def test_people_who_judge_alone_are_told_of_no_check(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).lvlm = "none"
    assert standing(loop).unproven == ""
    assert "Nothing to check" in text(page, loop, "check")
    assert page.change(f"/projects/{loop.project.id}/check", data={"domains": "digits"}).status_code == 409


def test_the_page_shows_figures_with_their_bars_and_what_was_said_as_data(loop: Loop, page: Browser) -> None:
    made = check(loop, passed=False, words="<script>alert(1)</script>")
    shown = text(page, loop, "check")
    assert "not passed" in shown
    assert "93\N{NARROW NO-BREAK SPACE}% (84–97, n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}72)" in shown
    assert "at least 80 %" in shown
    assert "54,321 tokens read" in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert "true: spurious" in shown
    assert "not this project’s own pictures" in shown
    picture = page.get(f"/projects/{loop.project.id}/check/{made.id}/pictures/0")
    assert (picture.status_code, picture.content[:4]) == (200, b"\x89PNG")
    assert page.get(f"/projects/{loop.project.id}/check/{made.id}/pictures/1").status_code == 404


def test_a_picture_is_given_to_its_own_project_alone(loop: Loop, page: Browser) -> None:
    made = check(loop)
    with transaction() as session:
        other = add_project(session, "Hips")
    assert page.get(f"/projects/{other.id}/check/{made.id}/pictures/0").status_code == 404


def test_a_check_is_started_once_on_the_chosen_cases(loop: Loop, page: Browser) -> None:
    address = f"/projects/{loop.project.id}/check"
    for _ in range(2):
        answer = page.change(address, data={"domains": ["digits", "skin"]})
        assert (answer.status_code, answer.headers["location"]) == (303, address)
    with reading() as session:
        runs = session.scalars(select(Run).where(Run.kind == Kind.CHECK)).all()
    assert [run.parameters["domains"] for run in runs] == [["digits", "skin"]]
    shown = text(page, loop, "check")
    assert "Checking the LVLM on planted cases" in shown
    assert "Check it" not in shown


def test_a_check_of_no_cases_or_unknown_ones_is_not_started(loop: Loop, page: Browser) -> None:
    for domains in ([], ["teeth"]):
        assert page.change(f"/projects/{loop.project.id}/check", data={"domains": domains}).status_code == 422
    with reading() as session:
        assert session.scalars(select(Run).where(Run.kind == Kind.CHECK)).all() == []


def test_a_check_under_way_holds_up_no_step_of_the_loop(loop: Loop, page: Browser) -> None:
    before = text(page, loop, "review")
    page.change(f"/projects/{loop.project.id}/check", data={"domains": "digits"})
    assert text(page, loop, "review") == before
    assert "See the work under way" not in before


def test_how_long_it_takes_is_told_once_it_is_known(loop: Loop, page: Browser) -> None:
    assert "how long it takes shows after the first" in text(page, loop, "check")
    with transaction() as session:
        add_check(session, add_project(session, "Hips"))
    assert "about 1\N{NARROW NO-BREAK SPACE}min for each kind" in text(page, loop, "check")


def test_the_page_takes_at_most_twelve_statements(loop: Loop, page: Browser) -> None:
    check(loop)
    with transaction() as session:
        add_run(session, session.get_one(Project, loop.project.id), CheckParameters(), Kind.CHECK)
    with counted() as statements:
        text(page, loop, "check")
    assert len(statements) <= 12, "\n".join(statements)
