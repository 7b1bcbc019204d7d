"""New project in a real browser: with the mouse and with the keyboard, from the files to the project."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.accounts.actions import sign_in_link
from app.db import reading, transaction
from app.models import Role, Run, State, User
from tests import brought, factories
from tests.browser.conftest import Complaints
from worker.tasks.here import run_here

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("sqlite")]


@pytest.fixture
def engineer(sqlite: None) -> User:
    with transaction() as session:
        return factories.add_user(session, "eng", Role.ENGINEER, "Erin Engineer")


def look() -> None:
    """As a worker does."""
    with reading() as session:
        waiting = session.scalars(select(Run.id).where(Run.state == State.QUEUED)).one()
    run_here(waiting)


def check(page: Page, check_access: Callable[[Page], None]) -> None:
    check_access(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def choose(page: Page, dataset: bytes) -> None:
    page.get_by_label("Data set, as a zip").set_input_files(
        {"name": "knees.zip", "mimeType": "application/zip", "buffer": dataset}
    )
    page.get_by_label("Weights, as safetensors").set_input_files(
        {"name": "mlp.safetensors", "mimeType": "application/octet-stream", "buffer": brought.weights()}
    )


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_an_engineer_makes_a_project(
    open_as: Callable[..., Page],
    engineer: User,
    check_access: Callable[[Page], None],
    complaints: Complaints,
    scheme: str,
    width: int,
) -> None:
    page = open_as(engineer, "/", width=width, scheme=scheme)
    page.get_by_role("link", name="New project").first.click()
    check(page, check_access)
    page.get_by_label("Name", exact=True).fill("Knees")
    page.get_by_label("What the model decides").fill("Tells whether a knee shows osteoarthritis.")
    page.get_by_label("Architecture").fill("mlp")
    page.get_by_label("Side of its input").fill("16")
    page.get_by_label("It sees").select_option("grey")
    page.get_by_label("Mean").fill("a half")
    choose(page, brought.folders())
    page.get_by_role("button", name="Look at what I send").click()
    expect(page.get_by_role("alert")).to_contain_text("What you typed is kept")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Knees")
    check(page, check_access)
    assert all("422" in each for each in complaints.heard)  # the browser's own word for what the page has told
    complaints.heard.clear()
    page.get_by_label("Mean").fill("0.5")
    page.get_by_label("Standard deviation").fill("0.5")
    choose(page, brought.folders(("only",)))
    page.get_by_role("button", name="Look at what I send").click()
    expect(page.get_by_text("Looking at what was sent")).to_be_visible()
    check(page, check_access)
    look()
    page.get_by_role("link", name="See the result").click()
    expect(page.get_by_text("at least two classes")).to_be_visible()
    check(page, check_access)
    page.get_by_role("link", name="Send it again").click()
    expect(page.get_by_text("mlp.safetensors is kept")).to_be_visible()
    choose(page, brought.folders(per_class=6))
    page.get_by_role("button", name="Look at what I send").click()
    expect(page.get_by_text("Looking at what was sent")).to_be_visible()
    look()
    page.get_by_role("link", name="See the result").click()
    expect(page.get_by_role("heading", name="36 pictures are sound")).to_be_visible()
    assert page.evaluate("[...document.images].every(image => image.loading === 'lazy' || image.naturalWidth)")
    check(page, check_access)
    page.get_by_role("button", name="Create the project and start the analysis").click()
    expect(page.get_by_text("Importing images")).to_be_visible()


def test_what_was_typed_outlives_the_session(
    open_as: Callable[..., Page], engineer: User, complaints: Complaints
) -> None:
    page = open_as(engineer, "/projects/new")
    page.get_by_label("Name", exact=True).fill("Knees")
    page.get_by_label("Side of its input").fill("96")
    page.get_by_label("It sees").select_option("grey")
    choose(page, brought.folders())
    page.context.clear_cookies()
    page.get_by_role("button", name="Look at what I send").click()
    expect(page.get_by_text("You come back to where you were")).to_be_visible()
    with reading() as session:
        page.goto(sign_in_link(session.get_one(User, engineer.id)))
    page.goto("/projects/new")
    expect(page.get_by_text("What you wrote before is back")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Knees")
    expect(page.get_by_label("Side of its input")).to_have_value("96")
    expect(page.get_by_label("It sees")).to_have_value("1")
    assert all("401" in each for each in complaints.heard)
    complaints.heard.clear()


def test_the_keyboard_alone_is_enough(open_as: Callable[..., Page], engineer: User) -> None:
    page = open_as(engineer, "/projects/new")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("Knees")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "dataset"
    page.get_by_label("Data set, as a zip").set_input_files(
        {"name": "knees.zip", "mimeType": "application/zip", "buffer": brought.folders()}
    )
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "submit":
            break
    assert page.evaluate("document.activeElement.textContent") == "Look at what I send"
    page.keyboard.press("Enter")
    expect(page.get_by_text("Looking at what was sent")).to_be_visible()
    look()
    page.get_by_role("link", name="See the result").focus()
    page.keyboard.press("Enter")
    make = page.get_by_role("button", name="Create the project")
    make.focus()
    assert make.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_text("Importing images")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_an_engineer_is_told_of_text_in_dicom_files(
    open_as: Callable[..., Page], engineer: User, check_access: Callable[[Page], None], scheme: str, width: int
) -> None:
    page = open_as(engineer, "/projects/new", width=width, scheme=scheme)
    page.get_by_label("Name", exact=True).fill("Knees")
    page.get_by_label("Architecture").fill("mlp")
    page.get_by_label("Side of its input").fill("16")
    page.get_by_label("It sees").select_option("grey")
    for field in ("Mean", "Standard deviation"):
        page.get_by_label(field).fill("0.5")
    choose(page, brought.from_hospital())
    page.get_by_role("button", name="Look at what I send").click()
    expect(page.get_by_text("Looking at what was sent")).to_be_visible()
    look()
    page.reload()
    expect(page.get_by_role("note")).to_contain_text("Text may be written into these pictures")
    check(page, check_access)
