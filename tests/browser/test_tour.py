from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.accounts.tour import tour
from app.db import transaction
from app.models import User
from tests import factories
from tests.browser.conftest import Complaints
from tests.factories import Loop

pytestmark = pytest.mark.browser


@pytest.fixture
def whole(sqlite: None) -> Loop:
    with transaction() as session:
        made = factories.whole_loop(session, per_class=1)
        session.get_one(User, made.clinician.id).toured_at = None
        return made


def test_five_bubbles_lead_a_new_person_round_once(
    open_as: Callable[..., Page], whole: Loop, complaints: Complaints
) -> None:
    page = open_as(whole.clinician, f"/projects/{whole.project.id}/behaviour")
    for number, (title, words) in enumerate(tour(), start=1):
        bubble = page.get_by_role("region", name="The five steps, in short")
        expect(bubble.get_by_text(f"{number} of 5")).to_be_visible()
        expect(bubble.get_by_role("heading", name=title)).to_be_visible()
        expect(bubble.get_by_text(words)).to_be_visible()
        expect(page.locator(".loop li.told")).to_contain_text(title)
        if number < len(tour()):
            page.get_by_role("button", name="Next").click()
    with page.expect_response("**/account/tour"):
        page.get_by_role("button", name="Done").click()
    expect(page.locator("#tour")).to_be_hidden()
    page.reload()
    expect(page.locator("#tour")).to_have_count(0)
    assert not complaints.heard


@pytest.mark.parametrize("width", [320, 1440])
def test_it_is_skipped_with_the_keyboard_and_stays_in_sight(
    open_as: Callable[..., Page], whole: Loop, width: int
) -> None:
    page = open_as(whole.clinician, f"/projects/{whole.project.id}/behaviour", width=width)
    page.get_by_role("button", name="Next").press("Enter")
    box = page.locator("#tour").bounding_box()
    assert box
    assert 0 <= box["x"] <= box["x"] + box["width"] <= width
    with page.expect_response("**/account/tour"):
        page.keyboard.press("Escape")
    expect(page.locator("#tour")).to_be_hidden()
    page.goto(f"/projects/{whole.project.id}/specification")
    expect(page.locator("#tour")).to_have_count(0)
