from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.accounts.actions import sign_in_link
from app.db import transaction
from app.models import Role, User
from tests.browser.conftest import Complaints
from tests.factories import PASSWORD, add_user

pytestmark = pytest.mark.browser


@pytest.fixture
def ada(sqlite: None) -> User:
    with transaction() as session:
        return add_user(session, "ada", Role.CLINICIAN, "Dr. Ada Reader")


def test_a_person_signs_in_with_the_keyboard_alone_and_out_again(new_page: Callable[..., Page], ada: User) -> None:
    page = new_page()
    page.goto("/account")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url("/account")
    page.get_by_text("Dr. Ada Reader").first.click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_password_is_told_and_the_name_is_kept(
    new_page: Callable[..., Page], ada: User, complaints: Complaints
) -> None:
    page = new_page()
    page.goto("/sign-in")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("don't belong together")
    expect(page.get_by_label("Name")).to_have_value("ada")
    expect(page.get_by_label("Password")).to_be_focused()
    # The browser itself writes the 401 of this page to its console; nothing else may stand there.
    assert all("401" in line for line in complaints.heard)
    complaints.heard.clear()


def test_the_printed_link_opens_the_projects(new_page: Callable[..., Page], ada: User) -> None:
    page = new_page()
    page.goto(sign_in_link(ada))
    expect(page.get_by_role("heading", name="Projects", exact=True)).to_be_visible()
    assert "token" not in page.url


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_the_sign_in_and_account_pages_are_open_to_everybody(
    new_page: Callable[..., Page], ada: User, check_access: Callable[[Page], None], width: int, scheme: str
) -> None:
    page = new_page(width, scheme=scheme)
    page.goto("/sign-in")
    check_access(page)
    page.goto(sign_in_link(ada))
    for address in ("/account", "/api", "/"):
        page.goto(address)
        check_access(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
