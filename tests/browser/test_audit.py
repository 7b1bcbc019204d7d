"""The audit log in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.db import transaction
from app.models import Role
from tests import factories

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_an_administrator_reads_the_log_and_verifies_its_chain(
    sqlite: None, open_as: Callable[..., Page], check_access: Callable[[Page], None], scheme: str, width: int
) -> None:
    with transaction() as session:
        factories.whole_loop(session)
        keeper = factories.add_user(session, "keeper", Role.ADMIN, "Kim Keeper")
    page = open_as(keeper, "/audit", width=width, scheme=scheme)
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    for folded in page.locator("main details:not(.menu)").all()[:6]:
        folded.evaluate("details => { details.open = true }")
    check_access(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.locator("#checked .message.success")).to_be_visible()
    check_access(page)
