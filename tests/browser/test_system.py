"""The page System in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.db import now, transaction
from app.models import LVLMCall, Project, Role
from tests import factories

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_an_administrator_lets_somebody_in_and_sees_what_is_missing(
    sqlite: None,
    open_as: Callable[..., Page],
    new_page: Callable[..., Page],
    check_access: Callable[[Page], None],
    scheme: str,
    width: int,
) -> None:
    with transaction() as session:
        loop = factories.whole_loop(session)
        session.get_one(Project, loop.project.id).lvlm = "openai:qwen2.5-vl@https://gpu.example/v1"
        session.add(LVLMCall(run_id=loop.critique.id, host="gpu.example", images=40, bytes=2**21, created_at=now()))
        keeper = factories.add_user(session, "keeper", Role.ADMIN, "Kim Keeper")
    page = open_as(keeper, "/system", width=width, scheme=scheme)
    expect(page.locator("#parts")).to_contain_text("does not answer", timeout=20_000)
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.locator(".message.success")).to_contain_text("The chain is whole")
    page.get_by_text("Add somebody").click()
    page.get_by_label("Change Kim Keeper").click()
    check_access(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    adding = page.locator("form.adding")
    adding.get_by_label("Signs in as").fill("hopper")
    adding.get_by_label("Name, as signatures show it").fill("Grace Hopper")
    adding.get_by_label("Your own password, again").fill(factories.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Grace Hopper can come in.")).to_be_visible(timeout=20_000)
    check_access(page)
    link = page.locator("#link").inner_text()
    visitor = new_page()
    visitor.goto(link)
    visitor.goto("/account")
    expect(visitor.get_by_role("heading", name="Grace Hopper")).to_be_visible()
    visitor.context.clear_cookies()
    visitor.goto("/sign-in")
    visitor.get_by_label("Name").fill("hopper")
    visitor.get_by_label("Password").fill(page.locator("#first-password").inner_text())
    visitor.keyboard.press("Enter")
    expect(visitor).to_have_url(re.compile("/$"))
