"""What comes between a person and their work: a lost connection, an ended session, a step back, a second click."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from sqlalchemy import func, select

from app.db import reading, transaction
from app.models import Decision, Epoch, Kind, Review, Run, Specification, Stage, State
from app.runs.parameters import RealignmentParameters
from tests import factories
from tests.browser.conftest import Complaints
from tests.factories import PASSWORD, Loop
from tests.trusted import read_sample

pytestmark = pytest.mark.browser
WORDS = "the grey letter that the radiographer lays beside the knee"
SIGNED_OUT = "You are signed out"
# Answers the next case as soon as it stands in the page, before htmx has taken up its form.
AT_ONCE = """() => {
  window.same = true;
  new MutationObserver((_, observer) => {
    observer.disconnect();
    document.getElementById("answer").requestSubmit(document.getElementById("say-relevant"));
  }).observe(document.getElementById("case").parentElement, { childList: true });
}"""
# A bad line: kilobytes a second and milliseconds until the first byte.
SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 20_000}


@pytest.fixture
def loop(sqlite: None) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session)


@pytest.fixture
def open_at(open_as: Callable[..., Page], loop: Loop) -> Callable[[str], Page]:
    """Opens a page of the project as its clinician."""
    return lambda rest: open_as(loop.clinician, f"/projects/{loop.project.id}/{rest}")


def count(table: type[Review | Specification | Decision]) -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def queued(kind: Kind) -> int:
    with reading() as session:
        return len(session.scalars(select(Run).where(Run.kind == kind, Run.state == State.QUEUED)).all())


def reach(run: Run, epoch: int) -> None:
    """As a worker does at the end of an epoch."""
    with transaction() as session:
        session.get_one(Run, run.id).done = epoch
        session.add(Epoch(run_id=run.id, number=epoch, figures={"loss": 1 / epoch}))


def where(page: Page, case: int) -> None:
    expect(page.locator("#where")).to_contain_text(f"case {case} of 24")


def ignore(page: Page) -> Locator:
    return page.get_by_label("The model should ignore").first


def sign_in(page: Page, loop: Loop, name: str = "") -> None:
    page.get_by_label("Name").fill(name or loop.clinician.name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def expected(complaints: Complaints, *words: str) -> None:
    """The browser writes to its console what was brought about; nothing else may stand there."""
    others = [line for line in complaints.heard if not any(word in line for word in words)]
    assert not others
    complaints.heard.clear()


class TestALostConnection:
    def test_an_answer_that_did_not_leave_is_told_and_given_again(
        self, open_at: Callable[[str], Page], complaints: Complaints
    ) -> None:
        page = open_at("review")
        page.keyboard.press("s")
        where(page, 2)
        page.context.set_offline(True)
        page.keyboard.press("s")
        expect(page.get_by_text("The server can't be reached.")).to_be_visible()
        where(page, 2)
        page.context.set_offline(False)
        page.keyboard.press("s")
        where(page, 3)
        expect(page.get_by_text("The server can't be reached.")).to_be_hidden()
        assert count(Review) == 2
        expected(complaints, "ERR_INTERNET_DISCONNECTED", "Failed to fetch")

    @pytest.mark.parametrize("comes", [True, False])
    def test_what_the_page_asked_for_by_itself_takes_no_such_notice_away(
        self, open_as: Callable[..., Page], loop: Loop, complaints: Complaints, *, comes: bool
    ) -> None:
        with transaction() as session:
            read_sample(session, loop.critique, loop.clinician)
        page = open_as(loop.clinician, f"/projects/{loop.project.id}/review")
        held = list[Route]()

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/differences", hold)
        page.reload()
        expect(page.locator(".under[hx-trigger=load]")).to_have_count(1)
        page.evaluate(
            "() => document.addEventListener('htmx:finally:request', () => document.body.dataset.ended += 'one,')"
        )
        page.route("**/answers", lambda route: route.abort())
        page.keyboard.press("s")
        expect(page.locator("#notice")).to_contain_text("Do your last step again")
        for each in held:
            each.continue_() if comes else each.abort()
        expect(page.locator("body")).to_have_attribute("data-ended", re.compile("one,one,"))
        expect(page.locator("#notice")).to_contain_text("Do your last step again")
        expected(complaints, "ERR_FAILED", "Failed to fetch")

    def test_an_answer_that_arrived_unheard_counts_once(
        self, open_at: Callable[[str], Page], complaints: Complaints
    ) -> None:
        page = open_at("review")
        page.route("**/answers", lambda route: (route.fetch(), route.abort()))
        page.keyboard.press("s")
        expect(page.get_by_text("The server can't be reached.")).to_be_visible()
        assert count(Review) == 1
        page.unroute("**/answers")
        page.keyboard.press("s")
        where(page, 2)
        assert count(Review) == 1
        expected(complaints, "ERR_FAILED", "Failed to fetch")

    def test_curves_go_on_when_it_is_back(
        self, open_as: Callable[..., Page], loop: Loop, complaints: Complaints
    ) -> None:
        with transaction() as session:
            asked = RealignmentParameters(critique_id=loop.critique.id)
            run = factories.add_run(session, loop.project, asked, Kind.REALIGNMENT, state=State.RUNNING)
            run.stage, run.total = Stage.REALIGN, 10
        page = open_as(loop.clinician, f"/runs/{run.id}")
        curve = page.get_by_role("img", name="Loss:")
        for epoch in (1, 2):
            reach(run, epoch)
            expect(page.get_by_text(f"{epoch} of 10 epochs")).to_be_visible()
        page.context.set_offline(True)
        reach(run, 3)
        expect(page.get_by_text("The server can't be reached.")).to_be_visible()
        expect(curve).to_have_accessible_name("Loss: 1 after epoch 1, 0.5 after epoch 2.")
        page.context.set_offline(False)
        expect(curve).to_have_accessible_name("Loss: 1 after epoch 1, 0.333 after epoch 3.")
        expect(page.get_by_text("The server can't be reached.")).to_be_hidden()
        complaints.heard.clear()  # each try of the browser to connect again

    def test_words_written_meanwhile_are_saved_afterwards(
        self, open_at: Callable[[str], Page], complaints: Complaints
    ) -> None:
        page = open_at("specification")
        page.context.set_offline(True)
        ignore(page).fill(WORDS)
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.get_by_text("What you wrote is still here.")).to_be_visible()
        page.context.set_offline(False)
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.get_by_text("Version 2 is saved.")).to_be_visible()
        expect(ignore(page)).to_have_value(WORDS)
        assert count(Specification) == 2
        expected(complaints, "ERR_INTERNET_DISCONNECTED", "Failed to fetch")


class TestAnEndedSession:
    def test_half_a_specification_is_there_after_signing_in_again(
        self, open_at: Callable[[str], Page], loop: Loop, complaints: Complaints
    ) -> None:
        page = open_at("specification")
        page.context.clear_cookies()
        ignore(page).press_sequentially(WORDS[:20])
        expect(page.get_by_text(SIGNED_OUT)).to_be_visible()
        ignore(page).fill(WORDS)  # the person writes on
        page.get_by_role("link", name="Sign in and come back here").click()
        sign_in(page, loop)
        expect(page.get_by_text("What you wrote before is back")).to_be_visible()
        expect(ignore(page)).to_have_value(WORDS)
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.get_by_text("Version 2 is saved.")).to_be_visible()
        page.reload()
        expect(page.get_by_text("What you wrote before is back")).to_have_count(0)
        expected(complaints, "401")

    def test_what_is_saved_too_late_is_saved_after_signing_in(
        self, open_at: Callable[[str], Page], loop: Loop, complaints: Complaints
    ) -> None:
        page = open_at("specification")
        page.get_by_label("Why this version").fill(WORDS)
        page.context.clear_cookies()
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.get_by_text("You come back to where you were")).to_be_visible()
        sign_in(page, loop)
        expect(page.get_by_label("Why this version")).to_have_value(WORDS)
        assert count(Specification) == 1
        expected(complaints, "401")

    def test_nobody_else_is_shown_it_and_it_can_be_dropped(
        self, open_at: Callable[[str], Page], loop: Loop, complaints: Complaints
    ) -> None:
        with transaction() as session:
            other = factories.add_user(session, "bo").name
        page = open_at("specification")
        written = ignore(page).input_value()
        for name, found in ((other, written), (loop.clinician.name, WORDS)):
            if name == other:
                ignore(page).fill(WORDS)
            page.context.clear_cookies()
            page.get_by_role("button", name="Save as version 2").click()
            sign_in(page, loop, name)
            expect(ignore(page)).to_have_value(found)
        page.get_by_role("button", name="Drop it").click()
        expect(ignore(page)).to_have_value(written)
        expected(complaints, "401")

    def test_a_long_note_and_its_case_are_there_again(
        self, open_at: Callable[[str], Page], loop: Loop, complaints: Complaints
    ) -> None:
        note = (WORDS + ". ") * 8
        page = open_at("review")
        case = page.locator('[name="cluster_id"]').input_value()
        page.keyboard.press("n")
        page.keyboard.insert_text(note)
        page.context.clear_cookies()
        page.get_by_role("button", name="Can’t tell").click()
        expect(page.get_by_text(SIGNED_OUT)).to_be_visible()
        page.get_by_role("link", name="Sign in and come back here").click()
        sign_in(page, loop)
        assert page.locator('[name="cluster_id"]').input_value() == case
        expect(page.get_by_label("Note, at most 500 characters")).to_have_value(note)
        page.get_by_role("button", name="Can’t tell").click()
        where(page, 2)
        expect(page.get_by_text("What you wrote before is back")).to_have_count(0)
        with reading() as session:
            assert [each.note for each in session.scalars(select(Review))] == [note.strip()]
        expected(complaints, "401")

    def test_signing_in_beside_it_loses_nothing_either(
        self, open_at: Callable[[str], Page], loop: Loop, complaints: Complaints
    ) -> None:
        page = open_at("specification")
        ignore(page).fill(WORDS)
        page.context.clear_cookies()
        beside = page.context.new_page()
        beside.goto("/sign-in")
        sign_in(beside, loop)
        expect(beside.get_by_role("heading", name="Projects", exact=True)).to_be_visible()
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.get_by_text("This page was opened before you signed in")).to_be_visible()
        page.get_by_role("link", name="Back to where you were").click()
        expect(ignore(page)).to_have_value(WORDS)
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.get_by_text("Version 2 is saved.")).to_be_visible()
        expected(complaints, "401", "403")


class TestBackAndTwice:
    def test_going_back_and_forth_gives_no_answer_twice(self, open_at: Callable[[str], Page]) -> None:
        page = open_at("behaviour")
        page.get_by_role("link", name="Review").first.click()
        page.wait_for_load_state()
        for case in (1, 2):
            where(page, case)
            page.keyboard.press("s")
        where(page, 3)
        page.go_back()
        expect(page.get_by_role("heading", name="What the model looks at")).to_be_visible()
        page.go_forward()
        page.wait_for_load_state()
        where(page, 3)
        page.keyboard.press("s")
        where(page, 4)
        assert count(Review) == 3

    def test_an_answer_in_the_moment_of_the_swap_does_not_load_the_page(self, open_at: Callable[[str], Page]) -> None:
        page = open_at("review")
        page.evaluate(AT_ONCE)
        page.keyboard.press("s")
        where(page, 3)
        assert page.evaluate("window.same")
        assert count(Review) == 2

    def test_a_saved_version_is_not_put_back_by_a_step_back(self, open_at: Callable[[str], Page]) -> None:
        page = open_at("specification")
        ignore(page).fill(WORDS)
        page.get_by_role("button", name="Save as version 2").click()
        expect(page.get_by_text("Version 2 is saved.")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("button", name="Save as version 3")).to_be_visible()
        expect(ignore(page)).to_have_value(WORDS)
        expect(page.get_by_text("What you wrote before is back")).to_have_count(0)

    def test_a_double_click_saves_starts_and_signs_once(self, open_at: Callable[[str], Page]) -> None:
        page = open_at("specification")
        ignore(page).fill(WORDS)
        page.get_by_role("button", name="Save as version 2").dblclick()
        expect(page.get_by_text("Version 2 is saved.")).to_be_visible()
        page.get_by_role("button", name="Ask the critic").dblclick()
        expect(page.get_by_text("The critic reads the regions")).to_be_visible()
        assert (count(Specification), queued(Kind.CRITIQUE)) == (2, 1)

    def test_a_double_click_realigns_explains_and_signs_once(self, open_at: Callable[[str], Page], loop: Loop) -> None:
        page = open_at("realign")
        page.get_by_role("button", name="Write down the bar and realign").dblclick()
        expect(page.get_by_text("Realigning the checkpoint")).to_be_visible()
        page.goto(f"/projects/{loop.project.id}/behaviour/new")
        page.get_by_role("button", name="Explain the model").dblclick()
        expect(page.get_by_text("Explaining the checkpoint")).to_be_visible()
        assert (queued(Kind.REALIGNMENT), queued(Kind.ANALYSIS)) == (1, 1)
        page.goto(f"/projects/{loop.project.id}/compare")
        page.get_by_label("Approve.").check()
        page.get_by_label("Reason").fill(WORDS)
        page.get_by_label("Your password again").fill(PASSWORD)
        page.get_by_role("button", name="Sign as Dr. Ada Reader").dblclick()
        expect(page.locator("#decision .badge.met")).to_be_visible()
        assert count(Decision) == 1

    def test_two_tabs_of_one_person_answer_and_save_once(
        self, open_at: Callable[[str], Page], loop: Loop, complaints: Complaints
    ) -> None:
        page = open_at("review")
        beside = page.context.new_page()
        beside.goto(page.url)
        for each in (page, beside):
            each.keyboard.press("s")
            where(each, 2)
        assert count(Review) == 1
        for each in (page, beside):
            each.goto(f"/projects/{loop.project.id}/specification")
        for each, words in ((page, "a letter"), (beside, "a letter and a pin")):
            ignore(each).fill(words)
        page.get_by_role("button", name="Save as version 2").click()
        # A click does not wait for its answer, so the second tab's could be first at the server.
        expect(page.get_by_text("Version 2 is saved.")).to_be_visible()
        beside.get_by_role("button", name="Save as version 2").click()
        expect(beside.get_by_text("was saved by Dr. Ada Reader while you wrote")).to_be_visible()
        expect(ignore(beside)).to_have_value("a letter and a pin")
        beside.get_by_role("button", name="Save as version 3").click()
        expect(beside.get_by_text("Version 3 is saved.")).to_be_visible()
        assert count(Specification) == 3
        expected(complaints, "409")


def test_a_slow_network_takes_nothing_twice(open_at: Callable[[str], Page], loop: Loop) -> None:
    page = open_at("review")
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW)
    for _ in range(3):
        page.keyboard.press("s")
    where(page, 2)
    page.keyboard.press("r")
    where(page, 3)
    assert count(Review) == 2
    page.goto(f"/projects/{loop.project.id}/specification")
    ignore(page).fill(WORDS)
    save = page.get_by_role("button", name=re.compile("Save as version"))
    for _ in range(3):
        save.click(no_wait_after=True)
    expect(page.get_by_text("Version 2 is saved.")).to_be_visible()
    assert count(Specification) == 2


def test_no_single_key_fires_with_a_modifier_or_in_a_field(open_at: Callable[[str], Page]) -> None:
    page = open_at("review")
    for modifier in ("Control", "Alt", "Meta"):
        page.keyboard.press(f"{modifier}+r" if modifier != "Control" else "Control+s")
    page.keyboard.press("n")
    page.keyboard.type("srtu?")
    expect(page.get_by_label("Note, at most 500 characters")).to_have_value("srtu?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_label("Undo the last answer").fill("k")
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)
    assert count(Review) == 0
    page.keyboard.press("r")
    where(page, 2)
