"""The pages of the loop as a clinician uses them."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Answer, Decision, Kind, Project, Review, Run, Specification
from app.review.blind import blind_sample
from tests import factories
from tests.browser.conftest import Complaints
from tests.drawn import DIGITS
from tests.factories import PASSWORD, Loop
from tests.second_round import explain
from tests.trusted import add_bar

pytestmark = pytest.mark.browser

COLOURED = ["behaviour", "specification/versions/1", "trust", "realign", "compare"]
PAGES = {
    "light": [*COLOURED, "behaviour/new", "specification", "specification/examples", "review"],
    "dark": COLOURED,  # their structure is the same, their colours are not
}


@pytest.fixture
def loop(sqlite: None) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session)


def address(loop: Loop, rest: str) -> str:
    return f"/projects/{loop.project.id}/{rest}"


def reviews() -> list[tuple[Answer, bool]]:
    with reading() as session:
        return [(each.answer, each.blind) for each in session.scalars(select(Review).order_by(Review.created_at))]


def read_blind(loop: Loop, but: int = 0) -> None:
    """Answers the clinician's blind sample, all but the last ones."""
    with transaction() as session:
        sample = blind_sample(session, loop.critique, loop.clinician)
        for cluster_id, _ in sample[: len(sample) - but]:
            review = Review(cluster_id=cluster_id, user_id=loop.clinician.id, run_id=loop.critique.id)
            review.answer, review.blind = Answer.SPURIOUS, True
            session.add(review)


def test_a_review_is_done_with_four_keys(open_as: Callable[..., Page], loop: Loop) -> None:
    page = open_as(loop.clinician, address(loop, "review"))
    for number, key in enumerate("srt", start=1):
        expect(page.locator("#where")).to_contain_text(f"case {number} of 24")
        page.keyboard.press(key)
    expect(page.locator("#where")).to_contain_text("case 4 of 24")
    page.keyboard.press("u")
    expect(page.locator("#where")).to_contain_text("case 3 of 24")
    expect(page.locator("#announce")).to_contain_text("Is region")
    given = [answer for answer, _ in reviews()]
    assert given == [Answer.SPURIOUS, Answer.RELEVANT, Answer.CANT_TELL, Answer.WITHDRAWN]


def test_the_last_blind_answer_opens_the_critic(open_as: Callable[..., Page], loop: Loop) -> None:
    read_blind(loop, but=1)
    page = open_as(loop.clinician, address(loop, "review"))
    expect(page.locator("#where")).to_contain_text("case 24 of 24")
    expect(page.get_by_text("The critic sees")).to_have_count(0)
    page.keyboard.press("r")
    expect(page.get_by_text("The critic sees").first).to_be_visible()
    expect(page.locator(".badge.relevant").first).to_be_visible()
    expect(page.get_by_text("agreed with blind readers")).to_be_visible()
    page.keyboard.press("s")
    expect(page.locator("#where")).to_contain_text("29 of 54 left")
    assert [blind for _, blind in reviews()][-2:] == [True, False]


def test_keys_can_be_switched_off_and_stay_off(open_as: Callable[..., Page], loop: Loop) -> None:
    page = open_as(loop.clinician, address(loop, "review"))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("s")  # the dialog is open: nothing is answered
    page.get_by_label("Single keys work").uncheck()
    page.get_by_role("button", name="Save the keys").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("s")
    page.reload()
    page.keyboard.press("s")
    page.wait_for_timeout(300)
    assert reviews() == []
    page.get_by_role("button", name="Spurious").click()
    expect(page.locator("#where")).to_contain_text("case 2 of 24")


def test_focus_stays_on_the_button_from_case_to_case(open_as: Callable[..., Page], loop: Loop) -> None:
    page = open_as(loop.clinician, address(loop, "review"))
    page.get_by_role("button", name="Relevant").focus()
    for number in (2, 3):
        page.keyboard.press("Enter")
        expect(page.locator("#where")).to_contain_text(f"case {number} of 24")
        expect(page.get_by_role("button", name="Relevant")).to_be_focused()


def test_a_button_that_waited_has_the_focus_again_whatever_the_page_asks_for_meanwhile(
    open_as: Callable[..., Page], loop: Loop
) -> None:
    page = open_as(loop.clinician, address(loop, "specification"))
    held = list[Route]()

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/specification/trials", hold)
    button = page.get_by_role("button", name="Try it on six pictures").first
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_be_disabled()
    page.evaluate("here => htmx.ajax('GET', here, {swap: 'none'})", page.url)
    for each in held:
        each.fulfill(content_type="text/html", body="<p>Asked.</p>")
    expect(page.get_by_text("Asked.")).to_be_visible()
    expect(button).to_be_focused()


def test_a_held_key_answers_once(open_as: Callable[..., Page], loop: Loop) -> None:
    page = open_as(loop.clinician, address(loop, "review"))
    page.keyboard.down("s")
    page.keyboard.down("s")
    page.keyboard.down("s")
    expect(page.locator("#where")).to_contain_text("case 2 of 24")
    page.wait_for_timeout(300)
    page.keyboard.up("s")
    assert len(reviews()) == 1


def test_words_are_suggested_checked_tried_saved_and_compared(open_as: Callable[..., Page], loop: Loop) -> None:
    page = open_as(loop.clinician, address(loop, "specification"))
    card = page.locator(f"#class-{loop.project.classes[1].id}")
    ignore, use = card.get_by_label("The model should ignore"), card.get_by_label("The model should use")
    shadow = "a small bright area in the lower part"  # which no LVLM named

    card.get_by_role("link", name=f"Ignore {shadow}").click()
    expect(ignore).to_have_value(f"letters in a corner, {shadow}")
    expect(card.get_by_text("The model also looks at")).to_have_count(0)

    use.fill(f"narrowed joint space, {shadow}")
    expect(card.get_by_text(f"“{shadow}” is to be ignored for osteoarthritis, and to be used too.")).to_be_visible()
    use.fill("narrowed joint space")
    expect(card.get_by_text("is to be ignored for osteoarthritis")).to_have_count(0)

    card.get_by_role("button", name="Try it").click()
    expect(card.get_by_text("Asking the critic about 6 pictures")).to_be_visible()
    with transaction() as session:
        run = session.scalars(select(Run).where(Run.kind == Kind.TRIAL)).one()
        ids = run.parameters["explanation_ids"]
        factories.finish_trial(run, [each for each in loop.explanations if str(each.id) in ids])
    expect(card.get_by_text("With these words the critic would say this of 6 pictures.")).to_be_visible()
    expect(card.locator(".trial-cases > li")).to_have_count(6)
    expect(card.get_by_text("for practice, not for patients")).to_be_visible()

    page.get_by_label("Why this version").fill("The lower part is a shadow.")
    page.get_by_role("button", name="Save as version 2").click()
    expect(page.get_by_text("Version 2 is saved.")).to_be_visible()
    page.get_by_role("link", name="what changed").first.click()
    expect(page.get_by_role("heading", name="Version 2", exact=True)).to_be_visible()
    expect(page.locator("ins", has_text="lower part")).to_be_visible()
    expect(page.locator("ins", has_text="narrowed")).to_be_visible()


def test_words_of_one_class_fill_the_empty_fields_of_the_others(open_as: Callable[..., Page], loop: Loop) -> None:
    with transaction() as session:
        project = factories.add_project(session, "Digits", DIGITS)
    page = open_as(loop.clinician, f"/projects/{project.id}/specification")
    ignore, use = page.get_by_label("The model should ignore"), page.get_by_label("The model should use")
    ignore.nth(0).fill("a grey square")
    use.nth(0).fill("the stroke")
    use.nth(7).fill("the two strokes")
    page.get_by_role("button", name="Write the same").first.click()
    expect(ignore.nth(9)).to_have_value("a grey square")
    expect(use.nth(9)).to_have_value("the stroke")
    expect(use.nth(7)).to_have_value("the two strokes")


def test_unsaved_words_are_not_lost_by_a_click_elsewhere(open_as: Callable[..., Page], loop: Loop) -> None:
    page = open_as(loop.clinician, address(loop, "specification"))
    page.get_by_label("The model should ignore").first.press_sequentially(", initials")
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", stay)
    page.get_by_role("link", name="Review").first.click(no_wait_after=True)
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    expect(page.get_by_label("The model should ignore").first).to_have_value(re.compile("initials"))
    with reading() as session:
        assert len(session.scalars(select(Specification)).all()) == 1


def test_a_figure_leads_to_its_pictures_and_back(open_as: Callable[..., Page], loop: Loop) -> None:
    page = open_as(loop.clinician, address(loop, "behaviour"))
    page.get_by_role("link", name="3 of 6 images").first.click()
    expect(page.locator(".gallery figure")).to_have_count(3)
    page.get_by_role("link", name="← What the model looks at").click()
    expect(page.get_by_role("heading", name="What the model looks at")).to_be_visible()


def test_a_comparison_is_read_and_signed(open_as: Callable[..., Page], loop: Loop, complaints: Complaints) -> None:
    page = open_as(loop.clinician, address(loop, "compare"))
    expect(page.get_by_role("img", name="Right answers by group before and after")).to_be_visible()
    page.get_by_text("The numbers").click()
    expect(page.get_by_role("cell", name="healthy, letter present worst before")).to_be_visible()
    page.get_by_label("Approve.").check()
    page.get_by_label("Reason").fill("The letter counts no more.")
    page.get_by_label("Your password again").fill("not mine at all")
    page.get_by_role("button", name="Sign as Dr. Ada Reader").click()
    expect(page.get_by_text("That is not your password. Nothing was signed.")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("The letter counts no more.")
    assert len(complaints.heard) == 1  # the refusal, which is an answer with the status 422
    complaints.heard.clear()
    page.get_by_label("Your password again").fill(PASSWORD)
    page.get_by_role("button", name="Sign as Dr. Ada Reader").click()
    expect(page.locator("#decision .badge.met")).to_be_visible()
    with reading() as session:
        (decision,) = session.scalars(select(Decision))
    assert decision.approved


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    open_as: Callable[..., Page], loop: Loop, check_access: Callable[[Page], None], scheme: str
) -> None:
    page = open_as(loop.clinician, address(loop, "behaviour"), scheme=scheme)
    for rest in PAGES[scheme]:
        page.goto(address(loop, rest))
        for folded in page.locator("main details:not(.menu)").all():
            folded.evaluate("details => { details.open = true }")
        check_access(page)
    read_blind(loop)
    with transaction() as session:  # then Realign is locked, and the clinician may override it
        session.get_one(Project, loop.project.id).created_by_id = loop.clinician.id
        add_bar(session, loop.project)
    for rest in ("review", "trust", "realign"):
        page.goto(address(loop, rest))
        for folded in page.locator("main details:not(.menu)").all():
            folded.evaluate("details => { details.open = true }")
        check_access(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_second_round(
    open_as: Callable[..., Page], loop: Loop, check_access: Callable[[Page], None], scheme: str
) -> None:
    page = open_as(loop.clinician, address(loop, "compare"), scheme=scheme)
    page.get_by_role("button", name="Explain this model").click()
    expect(page.get_by_text("waiting for a worker")).to_be_visible()
    explain(loop)
    for rest in ("behaviour", "specification", "compare"):
        page.goto(address(loop, rest))
        expect(page.locator("header .badge")).to_have_text("Round 2")
        check_access(page)
