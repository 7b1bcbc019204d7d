import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.languages.figures import interval, percent, signed
from app.models import Project, Role, Run, TrustBar, User
from app.trust.figures import trust_in
from tests.app.conftest import Browser
from tests.checked import add_check
from tests.factories import Loop, add_project, add_specification, add_user, read_blind, whole_loop
from tests.trusted import add_bar, read_sample
from worker.benchmarks.own_database import counted

FORM = {"least_kappa": "0.55", "least_cases": "18", "locks": "true", "reason": "As agreed with the readers."}


@pytest.fixture
def loop(stored: None) -> Loop:
    with transaction() as session:
        made = whole_loop(session)
        session.get_one(Project, made.project.id).created_by_id = made.engineer.id
        return made


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


@pytest.fixture
def owner(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.engineer)


def address(loop: Loop, rest: str = "") -> str:
    return f"/projects/{loop.project.id}/trust{rest}"


def plain(text: str) -> str:
    return (
        re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))
        .replace("\N{NARROW NO-BREAK SPACE}", " ")
        .replace("&nbsp;", " ")
    )


def read(loop: Loop, **how: int) -> None:
    with transaction() as session:
        read_sample(session, loop.critique, loop.clinician, **how)


def bars() -> list[TrustBar]:
    with reading() as session:
        return list(session.scalars(select(TrustBar).order_by(TrustBar.created_at)))


def test_before_the_critic_has_read_the_page_leads_to_the_review(
    stored: None, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        user, project = add_user(session), add_project(session)
    text = signed_in(user).get(f"/projects/{project.id}/trust").text
    assert "Nothing is judged yet" in text
    assert "No bar is set" not in text


def test_nobody_has_read_blind_yet_says_what_to_do(loop: Loop, owner: Browser) -> None:
    text = plain(owner.get(address(loop)).text)
    assert "Nobody has read blind yet" in text
    assert "Read at least 20 of the 24 cases with which the review begins." in text
    assert "Spurious regions found" not in text, "a table of nothing only tires"


@pytest.mark.usefixtures("database")
def test_every_figure_stands_with_its_n_and_its_interval(loop: Loop, page: Browser) -> None:
    read(loop, wrong=4, cant_tell=3)
    with transaction() as session:
        read_sample(session, loop.critique, add_user(session, "bo"), wrong=4, cant_tell=3)
    with reading() as session:
        found = trust_in(session, loop.project, session.get_one(Run, loop.critique.id)).whole
    text = plain(page.get(address(loop)).text)
    for figure in (found.kappa, found.between):
        assert f"{signed(figure.value)} {signed(figure.low)} to {signed(figure.high)}, n = {figure.n}" in text
    for figure in (found.sensitivity, found.specificity):
        assert (
            f"{percent(figure.value)} {interval(figure)}, n = {figure.n}".replace("\N{NARROW NO-BREAK SPACE}", " ")
            in text
        )
    assert "12 % 6–25, n = 48" in text  # the answers "can't tell"
    assert "healthy" in text
    assert "48 answers were given blind." in text


def test_three_readers_are_held_against_each_other_where_all_have_read(loop: Loop, owner: Browser) -> None:
    for number, name in enumerate(("", "bo", "cy")):
        with transaction() as session:
            reader = add_user(session, name) if name else loop.clinician
            read_sample(session, loop.critique, reader, wrong=2 * number)
        text = owner.get(address(loop)).text
        assert ("Fleiss’ kappa" in text) == (name == "cy")
    assert "On cases that all have read</th>" in text
    assert "how somebody settled a difference afterwards changes none of them" in text


def test_who_is_to_read_blind_learns_nothing_of_the_judge(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        add_bar(session, loop.project, least_cases=2)
        read_sample(session, loop.critique, loop.engineer, wrong=12)
    read(loop, count=23, wrong=12)
    text = plain(page.get(address(loop)).text)
    assert "1 case of your blind reading is open." in text
    assert "The judge is under the trust bar. What is missing is shown once your own blind reading is done." in text
    for told in ("Spurious regions found", "kappa of 0", "seen differently", "The critic sees"):
        assert told not in text
    realign = plain(page.get(f"/projects/{loop.project.id}/realign").text)
    assert "What is missing is shown once your own blind reading is done." in realign
    assert "kappa of 0" not in realign


def test_verdicts_of_an_earlier_critique_are_told_as_such(loop: Loop, page: Browser) -> None:
    told = "These are the verdicts of an earlier critique."
    assert told not in page.get(address(loop)).text
    assert "Read on" in page.get(address(loop)).text
    with transaction() as session:
        add_specification(session, loop.project, loop.clinician, "letters and initials")
    text = page.get(address(loop)).text
    assert told in text
    assert "Read on" not in text  # Review asks for the critic first
    assert "Go on to realign" not in text


def test_too_few_readings_are_told_to_a_blind_reader_too(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        add_bar(session, loop.project)
    read(loop, count=5)
    assert "At least 20 cases have to be read blind, and only 5 are." in plain(page.get(address(loop)).text)


def test_a_judge_over_the_bar_opens_realignment(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        add_bar(session, loop.project)
    read(loop, wrong=1)
    text = plain(page.get(address(loop)).text)
    assert "The judge is over the bar" in text
    assert "Go on to realign" in text
    assert "locked" not in plain(page.get(f"/projects/{loop.project.id}/realign").text)


def test_a_project_without_a_bar_says_so_and_the_demo_says_why(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    assert "Nobody has set a trust bar for this project." in plain(page.get(address(loop)).text)
    assert "No trust bar is set: this starts on" in plain(page.get(f"/projects/{loop.project.id}/realign").text)
    with transaction() as session:
        demo = whole_loop(session, "Demo", demo=True)
    assert "The demo has no trust bar" in plain(signed_in(demo.clinician).get(address(demo)).text)


def test_without_an_lvlm_there_is_no_judge_to_trust(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).lvlm = "none"
        session.get_one(Run, loop.critique.id).result = {"lvlm": "none"}
        add_bar(session, loop.project)
    read(loop)
    text = plain(page.get(address(loop)).text)
    assert "Only people’s words go into a realignment" in text
    assert "The judge and blind readers" not in text
    assert "The readers among themselves" in text


def test_the_owner_sets_the_bar_and_every_bar_stays(loop: Loop, owner: Browser) -> None:
    answer = owner.change(address(loop, "/bar"), data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, address(loop, "#bar"))
    owner.change(address(loop, "/bar"), data={**FORM, "locks": "", "reason": "The readers are away."})
    owner.change(address(loop, "/bar"), data={**FORM, "reason": "They are back."})
    first, off, _ = bars()
    assert (first.locks, first.least_kappa, first.least_cases, first.reason) == (True, 0.55, 18, FORM["reason"])
    assert (off.locks, off.created_by_id) == (False, loop.engineer.id)
    text = plain(owner.get(address(loop)).text)
    assert "kappa of at least 0.55" in text
    assert "by Grace Engineer: “They are back.”" in text
    assert re.search(r"switched off The readers are away\.", text)


def test_a_switched_off_bar_says_so(loop: Loop, page: Browser, owner: Browser) -> None:
    owner.change(address(loop, "/bar"), data={name: value for name, value in FORM.items() if name != "locks"})
    assert "The bar was switched off: “As agreed with the readers.”" in plain(page.get(address(loop)).text)


@pytest.mark.parametrize(
    "changed",
    [{"least_kappa": "1.2"}, {"least_kappa": "-0.1"}, {"least_cases": "0"}, {"least_cases": "25"}, {"reason": " "}],
)
def test_a_bar_that_makes_no_sense_is_refused(loop: Loop, owner: Browser, changed: dict[str, str]) -> None:
    assert owner.change(address(loop, "/bar"), data={**FORM, **changed}).status_code == 422
    assert bars() == []


def test_nobody_but_an_owner_sets_it(loop: Loop, page: Browser, as_role: Callable[[Role], Browser]) -> None:
    for browser in (page, as_role(Role.ENGINEER)):
        assert browser.change(address(loop, "/bar"), data=FORM).status_code == 403
        assert "Set the bar" not in browser.get(address(loop)).text
    assert bars() == []
    assert as_role(Role.ADMIN).change(address(loop, "/bar"), data=FORM).status_code == 303


def test_whether_the_critic_looks_is_told_from_its_check(loop: Loop, page: Browser) -> None:
    assert "it was not checked yet" in plain(page.get(address(loop)).text)
    with transaction() as session:
        add_check(session, loop.project)
    text = plain(page.get(address(loop)).text)
    assert "handwritten digits with a grey square" in text
    assert "93 % (84–97, n = 72)" in text
    assert "Nothing was planted in this project’s own pictures yet." in text


def test_review_and_realign_lead_to_it(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        read_blind(session, loop.critique, loop.clinician)
    for step in ("review", "realign", "compare"):
        assert address(loop) in page.get(f"/projects/{loop.project.id}/{step}").text, step


def test_the_page_takes_at_most_fifteen_statements(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        add_bar(session, loop.project)
    read(loop)
    with counted() as statements:
        assert page.get(address(loop)).status_code == 200
    assert len(statements) <= 15, "\n".join(statements)
