"""The pages in German: the same structure, longer words."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import Page, expect

from app.db import transaction
from app.models import Kind, Project, Run, User
from app.runs.parameters import AnalysisParameters
from tests import factories
from tests.browser.conftest import Complaints
from tests.browser.pages import addresses, scrolls_sideways, unfold
from tests.drawn import DIGITS
from tests.factories import PASSWORD, Loop
from tests.trusted import add_bar, read_sample

pytestmark = pytest.mark.browser

PAGES = ("behaviour", "behaviour/new", "specification", "review", "trust", "realign", "compare", "check", "runs")
NARROW, NARROWEST = 390, 320


@pytest.fixture
def loop(sqlite: None) -> Loop:
    with transaction() as session:
        made = factories.whole_loop(session)
        add_bar(session, made.project)
        read_sample(session, made.critique, made.clinician, wrong=5, cant_tell=1)
        return made


def test_every_page_fits_a_telephone_and_axe_finds_nothing(
    open_as: Callable[..., Page], loop: Loop, check_access: Callable[[Page], None]
) -> None:
    page = open_as(loop.clinician, "/", width=NARROW, language="de")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    for address in ("/", "/account", *(f"/projects/{loop.project.id}/{name}" for name in PAGES)):
        page.goto(address)
        unfold(page)
        assert not scrolls_sideways(page), address
        check_access(page)


def test_nothing_on_any_page_scrolls_sideways(open_as: Callable[..., Page], loop: Loop) -> None:
    """Neither the page nor a table or another part of it; the steps of the loop all stand in sight."""
    page = open_as(loop.clinician, "/", width=NARROW, language="de")
    for name, address in addresses(loop, *others()).items():
        page.goto(address, wait_until="domcontentloaded")
        unfold(page)
        for width in (NARROW, NARROWEST):
            page.set_viewport_size({"width": width, "height": 800})
            assert not scrolls_sideways(page), f"{name} at {width} px"
            for step in page.locator(".loop a").all():
                expect(step).to_be_in_viewport(ratio=1)


def others() -> tuple[Loop, tuple[Project, Run], Project]:
    """A project of ten classes, one whose first work is under way, and one with nothing."""
    with transaction() as session:
        digits = factories.whole_loop(session, "Digits", DIGITS, per_class=1, demo=True)
        begun = factories.add_project(session, "Hips")
        checkpoint = factories.add_checkpoint(session, begun)
        run = factories.add_run(session, begun, AnalysisParameters(checkpoint_id=checkpoint.id), Kind.ANALYSIS)
        return digits, (begun, run), factories.add_project(session, "Wrists")


def test_moments_are_in_the_readers_zone_and_break_between_date_and_time(
    open_as: Callable[..., Page], loop: Loop
) -> None:
    page = open_as(loop.clinician, f"/projects/{loop.project.id}/runs", width=NARROW, language="de")
    moment = page.locator("td time").first
    at = moment.get_attribute("datetime") or ""
    page.context.new_cdp_session(page).send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    page.reload()
    in_tokyo = datetime.fromisoformat(at).astimezone(timezone(timedelta(hours=9)))
    expect(moment).to_have_text(re.compile(rf"^{in_tokyo:%d.%m.%Y, %H:%M}\sGMT\+9$"))
    expect(moment).to_have_attribute("title", re.compile("UTC$"))
    assert moment.evaluate("time => time.getClientRects().length") == 2


def test_the_menu_changes_the_language_and_stays_on_the_page(open_as: Callable[..., Page], loop: Loop) -> None:
    address = f"/projects/{loop.project.id}/trust"
    page = open_as(loop.clinician, address)
    page.locator("details.menu > summary").last.click()
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    assert page.url.endswith(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Wie weit ist dem Gutachter zu trauen?")
    page.locator("details.menu > summary").last.click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How far can the judge be trusted?")


def test_the_sign_in_page_offers_the_languages(
    new_page: Callable[..., Page], check_access: Callable[[Page], None], sqlite: None
) -> None:
    with transaction() as session:
        factories.add_user(session)
    page = new_page(width=NARROW)
    page.goto("/sign-in?next=/account")
    page.get_by_role("link", name="Deutsch").click()
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    check_access(page)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()
    page.wait_for_url("**/account")
    expect(page.get_by_role("button", name="Passwort ändern")).to_be_visible()


def test_what_scripts_say_is_german_too(open_as: Callable[..., Page], loop: Loop, complaints: Complaints) -> None:
    with transaction() as session:
        session.get_one(User, loop.clinician.id).toured_at = None
    page = open_as(loop.clinician, f"/projects/{loop.project.id}/review", language="de")
    skip = page.locator("#tour-skip")
    expect(skip).to_have_text("Tour überspringen")
    for _ in range(4):
        page.locator("#tour-next").click()
    expect(skip).to_have_text("Fertig")
    skip.click()
    left = page.locator("#where").inner_text()
    page.keyboard.press("s")
    expect(page.locator("#where")).not_to_have_text(left)
    expect(page.locator("#announce")).to_contain_text("ein guter Grund für")
    page.route("**/answers", lambda route: route.abort())
    page.keyboard.press("s")
    expect(page.locator("#notice")).to_contain_text("Der Server ist nicht erreichbar.")
    complaints.heard.clear()  # the lost connection
