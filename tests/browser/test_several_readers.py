"""Readers side by side, a note, and an adjudication, with the keyboard and in either theme."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Answer, Project, Review, User
from tests import factories
from tests.factories import Loop
from tests.trusted import say

pytestmark = pytest.mark.browser


@pytest.fixture
def loop(sqlite: None) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session)


@pytest.fixture
def second(loop: Loop) -> User:
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 0
        reader = factories.add_user(session, "bo", display_name="Dr. Bo Second")
        for each in (loop.clinician, reader):
            factories.read_blind(session, loop.critique, each)
        return reader


def address(loop: Loop, rest: str = "") -> str:
    return f"/projects/{loop.project.id}/review{rest}"


def notes() -> list[tuple[Answer, str]]:
    with reading() as session:
        rows = session.scalars(select(Review).where(Review.blind.is_(False)).order_by(Review.created_at))
        return [(row.answer, row.note) for row in rows]


def test_two_readers_work_side_by_side_and_come_back_to_their_cases(
    open_as: Callable[..., Page], loop: Loop, second: User
) -> None:
    pages = [open_as(loop.clinician, address(loop)), open_as(second, address(loop))]

    def cases() -> list[str]:
        return [page.locator('[name="cluster_id"]').get_attribute("value") or "" for page in pages]

    before = cases()
    assert len(set(before)) == 2
    pages[0].keyboard.press("s")
    expect(pages[0].locator("#where")).to_contain_text("29 of 54 left")
    with pages[1].expect_response(lambda given: given.url.endswith("/at-work")) as renewed:
        pages[1].mouse.move(200, 300)
    assert renewed.value.status == 204
    for page in pages:
        page.reload()
    after = cases()
    assert after[1] == before[1]
    assert after[0] not in before
    assert open_as(loop.clinician, address(loop)).locator('[name="cluster_id"]').get_attribute("value") == after[0]


def test_a_note_is_written_with_the_keyboard_and_fires_no_key(
    open_as: Callable[..., Page], loop: Loop, second: User
) -> None:
    page = open_as(loop.clinician, address(loop))
    page.keyboard.press("n")
    expect(page.get_by_label("Note, at most 500 characters")).to_be_focused()
    page.keyboard.type("stars rust under a tube")
    page.wait_for_timeout(300)
    assert notes() == []
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    expect(page.locator("#where")).to_contain_text("29 of 54 left")
    expect(page.get_by_label("Note, at most 500 characters")).to_be_hidden()
    assert notes() == [(Answer.CANT_TELL, "stars rust under a tube")]
    page.keyboard.press("u")
    expect(page.get_by_label("Note, at most 500 characters")).to_have_value("stars rust under a tube")
    page.keyboard.press("r")  # the note is open, but nobody writes in it
    expect(page.locator("#where")).to_contain_text("29 of 54 left")
    assert notes()[-1] == (Answer.RELEVANT, "stars rust under a tube")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_third_person_settles_what_two_see_differently(
    open_as: Callable[..., Page], loop: Loop, second: User, check_access: Callable[[Page], None], scheme: str
) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).created_by_id = loop.clinician.id
        third = factories.add_user(session, "cy", display_name="Dr. Cy Third")
        factories.read_blind(session, loop.critique, third)
        read = set(session.scalars(select(Review.cluster_id)))
        open_cases = [cluster.id for each in loop.explanations for cluster in each.clusters if cluster.id not in read]
        for cluster in open_cases[:2]:
            say(session, loop.critique, loop.clinician, cluster, Answer.SPURIOUS, blind=False)
            say(session, loop.critique, second, cluster, Answer.RELEVANT, blind=False)
    reader = open_as(loop.clinician, address(loop), scheme=scheme)
    reader.get_by_role("link", name="Readers differ on 2 cases.").click()
    expect(reader.get_by_label("Percent of the answered regions")).to_be_visible()
    check_access(reader)
    reader.get_by_role("link", name="Look").first.click()
    expect(reader.get_by_text("You can’t settle this one")).to_be_visible()
    check_access(reader)

    page = open_as(third, address(loop, f"/{loop.critique.id}/disagreements"), scheme=scheme)
    page.get_by_role("link", name="Settle").first.click()
    expect(page.get_by_text("case 1 of 2")).to_be_visible()
    page.get_by_text("Add a note").click()
    expect(page.get_by_label("Note, at most 500 characters")).to_be_focused()
    page.keyboard.type("a vessel")
    check_access(page)
    page.get_by_role("button", name="Relevant").click()
    expect(page.get_by_text("case 1 of 1")).to_be_visible()
    page.get_by_role("button", name="Spurious").click()
    expect(page.get_by_text("No readers differ")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("case 1 of 1")).to_be_visible()
    assert notes()[-3:] == [(Answer.RELEVANT, "a vessel"), (Answer.SPURIOUS, ""), (Answer.WITHDRAWN, "")]
