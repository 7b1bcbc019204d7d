"""Long tables on a phone: a row is a card, and stays a row for whoever hears it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.db import transaction
from app.models import Role
from tests import factories
from tests.browser.pages import scrolls_sideways, unfold
from tests.trusted import add_bar

pytestmark = pytest.mark.browser

LABELS = "row => [...row.cells].map(cell => getComputedStyle(cell, '::before').content.split('\"')[1])"


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "de")])
def test_a_row_of_a_long_table_is_a_card_on_a_phone_and_still_a_row(
    sqlite: None, open_as: Callable[..., Page], check_access: Callable[[Page], None], scheme: str, language: str
) -> None:
    with transaction() as session:
        loop = factories.whole_loop(session)
        add_bar(session, loop.project)
        keeper = factories.add_user(session, "keeper", Role.ADMIN, "Kim Keeper")
    page = open_as(keeper, "/audit", width=390, scheme=scheme, language=language)
    when = {"en": "When", "de": "Wann"}[language]
    table = page.get_by_role("table")
    expect(table.get_by_role("columnheader", name=when)).to_have_count(1)
    row = table.get_by_role("row").filter(has_text="Knees").first  # an entry in which no cell is empty
    expect(row.get_by_role("cell")).to_have_count(5)
    assert row.evaluate(LABELS)[1] == when
    assert row.evaluate("row => getComputedStyle(row).display") == "block"
    here = f"/projects/{loop.project.id}"
    for address in (f"{here}/behaviour", f"{here}/trust", f"{here}/realign", f"{here}/compare", "/system"):
        page.goto(address)
        unfold(page)
        assert not scrolls_sideways(page), address
        check_access(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/audit")
    assert table.get_by_role("row").nth(1).evaluate("row => getComputedStyle(row).display") == "table-row"
