"""A note on an answer: kept with it, given back with it, and never more than words."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import HoneypotAnswer, HoneypotCase, User
from tests.app.conftest import Browser
from tests.app.review.test_page import address, answer, asked, reviews, undo
from tests.factories import Loop, add_honeypots


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


@pytest.mark.usefixtures("database")
def test_a_note_is_kept_with_the_answer_and_is_there_again_after_undo(loop: Loop, page: Browser) -> None:
    first = asked(page.get(address(loop)).text)
    text = answer(loop, page, first, note="  it <i>shines</i>\r\nthere ")
    assert "shines" not in text
    text = undo(loop, page)
    assert "it &lt;i&gt;shines&lt;/i&gt;\nthere</textarea>" in text
    assert "it &lt;i&gt;shines&lt;/i&gt;\nthere</textarea>" in page.get(address(loop)).text
    answer(loop, page, first, note="")
    assert [review.note for review in reviews()] == ["it <i>shines</i>\nthere"] * 2 + [""]


def test_another_note_on_the_same_answer_is_no_double_click(loop: Loop, page: Browser) -> None:
    first = asked(page.get(address(loop)).text)
    for note in ("one", "one", "two"):
        answer(loop, page, first, note=note)
    assert [review.note for review in reviews()] == ["one", "two"]


def test_a_note_has_at_most_500_characters_as_the_browser_counts_them(loop: Loop, page: Browser) -> None:
    first = asked(page.get(address(loop)).text)
    sent = {"cluster_id": first, "answer": "spurious"}
    target = address(loop, f"/{loop.critique.id}/answers")
    assert page.change(target, data=sent | {"note": "a" * 501}).status_code == 422
    assert reviews() == []
    assert page.change(target, data=sent | {"note": "a\r\n" * 249 + "bc"}).status_code == 303
    assert len(reviews()[0].note) == 500


def test_a_note_on_a_planted_case_is_met_as_any_other(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        planted = add_honeypots(session, loop)
    with reading() as session:
        case_id = str(session.scalars(select(HoneypotCase.id)).first())
    assert len(planted) == 4
    answer(loop, page, case_id, note="a star")
    with reading() as session:
        assert [each.note for each in session.scalars(select(HoneypotAnswer))] == ["a star"]
    assert "a star</textarea>" in undo(loop, page)
