from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.db import now, transaction
from app.models import Epoch, Kind, Run, Stage, State
from app.runs.parameters import RealignmentParameters
from tests import factories
from tests.browser.conftest import Complaints
from tests.factories import Loop

pytestmark = pytest.mark.browser


@pytest.fixture
def whole(sqlite: None) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session, per_class=1)


@pytest.fixture
def run(whole: Loop) -> Run:
    with transaction() as session:
        parameters = RealignmentParameters(critique_id=whole.critique.id)
        made = factories.add_run(session, whole.project, parameters, Kind.REALIGNMENT, state=State.RUNNING)
        made.stage, made.done, made.total = Stage.REALIGN, 1, 10
        made.stage_started_at = now() - timedelta(seconds=20)
        session.add(Epoch(run_id=made.id, number=1, figures={"loss": 2.0}))
    return made


def change(run: Run, **values: Any) -> None:
    with transaction() as session:
        row = session.get_one(Run, run.id)
        for name, value in values.items():
            setattr(row, name, value)


def test_progress_goes_on_by_itself_and_ends_with_the_run(open_as: Callable[..., Page], whole: Loop, run: Run) -> None:
    page = open_as(whole.clinician, f"/runs/{run.id}")
    expect(page.get_by_text("1 of 10 epochs")).to_be_visible()
    change(run, done=4)
    with transaction() as session:
        session.add(Epoch(run_id=run.id, number=2, figures={"loss": 1.0}))
    expect(page.get_by_text("4 of 10 epochs")).to_be_visible()
    expect(page.get_by_role("img", name="Loss: 2 after epoch 1, 1 after epoch 2.")).to_be_visible()
    change(run, state=State.SUCCEEDED, finished_at=now())
    expect(page.get_by_role("link", name="See the result")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1500)
    assert asked == []


def test_a_run_is_stopped_with_the_keyboard(open_as: Callable[..., Page], whole: Loop, run: Run) -> None:
    page = open_as(whole.clinician, f"/runs/{run.id}")
    button = page.get_by_role("button", name="Cancel")
    page.wait_for_timeout(1500)  # the fragment has been replaced meanwhile
    button.focus()
    page.wait_for_timeout(1500)
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("stopping, what is done is kept")).to_be_visible()
    with transaction() as session:
        assert session.get_one(Run, run.id).cancel_requested


def test_a_server_that_is_away_is_told_and_found_again(
    open_as: Callable[..., Page], whole: Loop, run: Run, complaints: Complaints
) -> None:
    page = open_as(whole.clinician, f"/runs/{run.id}")
    page.route("**/progress", lambda route: route.abort())
    change(run, done=6)
    expect(page.get_by_text("The server can't be reached.")).to_be_visible()
    page.unroute("**/progress")
    change(run, done=7)
    expect(page.get_by_text("7 of 10 epochs")).to_be_visible()
    expect(page.get_by_text("The server can't be reached.")).not_to_be_visible()
    assert all("ERR_FAILED" in line or "htmx" in line for line in complaints.heard), complaints.heard
    complaints.heard.clear()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_projects_and_runs_are_open_to_everybody(
    open_as: Callable[..., Page], whole: Loop, run: Run, check_access: Callable[[Page], None], width: int, scheme: str
) -> None:
    page = open_as(whole.clinician, "/", width, scheme=scheme)
    for address in ("/", f"/runs/{run.id}", f"/runs/{whole.realignment.id}"):
        page.goto(address)
        check_access(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} scrolls sideways"
    change(run, state=State.FAILED, error="The disk is full.", error_details="OSError 28")
    page.goto(f"/runs/{run.id}")
    check_access(page)


def test_a_reload_and_a_page_that_was_not_seen_for_a_while_show_what_stands(
    open_as: Callable[..., Page], whole: Loop, run: Run
) -> None:
    page = open_as(whole.clinician, f"/runs/{run.id}")
    expect(page.get_by_text("1 of 10 epochs")).to_be_visible()
    page.reload()
    change(run, done=3)
    expect(page.get_by_text("3 of 10 epochs")).to_be_visible()
    see(page, hidden=True)
    change(run, done=8)
    page.wait_for_timeout(2500)
    expect(page.get_by_text("3 of 10 epochs")).to_be_visible()
    see(page, hidden=False)
    expect(page.get_by_text("8 of 10 epochs")).to_be_visible()


def test_nothing_is_asked_for_while_nothing_changes(open_as: Callable[..., Page], whole: Loop, run: Run) -> None:
    page = open_as(whole.clinician, f"/runs/{run.id}")
    expect(page.get_by_text("1 of 10 epochs")).to_be_visible()
    page.wait_for_timeout(1500)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2500)
    assert asked == []


def see(page: Page, *, hidden: bool) -> None:
    """As where another tab is in front, or the lid is closed."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )
