"""What the page says of a region that is covered, in either language."""

from collections.abc import Callable
from html import unescape

import pytest
from sqlalchemy import select, update

from app.db import transaction
from app.languages.figures import NARROW_SPACE
from app.models import Cluster, Explanation, HoneypotCase, User
from tests.app.conftest import Browser
from tests.app.review.test_honeypots import read_all
from tests.factories import Loop, add_honeypots


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def told(loop: Loop, page: Browser, effect: float, odds_fall: float | None, **headers: str) -> str:
    """The first case of the blind reading, whose model was sure of its class to 93 %."""
    names = [target.name for target in loop.project.classes]
    with transaction() as session:
        for explanation in session.scalars(select(Explanation)):
            explanation.probabilities = [0.93] * len(names)
        for region in (Cluster, HoneypotCase):
            session.execute(update(region).values(effect=effect, odds_fall=odds_fall))
    text = unescape(page.get(f"/projects/{loop.project.id}/review", headers=headers).text).replace(NARROW_SPACE, " ")
    for name in names:
        text = text.replace(name, "it")
    return text


def test_the_certainty_is_told_with_and_without_the_region(loop: Loop, page: Browser) -> None:
    text = told(loop, page, 0.52, 2.95)
    assert "Covering it lowers the model’s certainty of it from 93 % to 41 %. Its odds fall by a factor of 19." in text


def test_a_rise_is_called_a_rise_and_ends_at_certainty(loop: Loop, page: Browser) -> None:
    text = told(loop, page, -0.08, -8.0)
    assert (
        "Covering it raises the model’s certainty of it from 93 % to 100 %. Its odds rise by a factor of more" in text
    )


def test_what_changes_nothing_says_so(loop: Loop, page: Browser) -> None:
    text = told(loop, page, 0.001, 0.02)
    assert "Covering it hardly changes the model’s certainty of it, 93 %." in text
    assert "odds" not in text


def test_an_old_analysis_that_did_not_measure_the_odds_says_nothing_of_them(loop: Loop, page: Browser) -> None:
    text = told(loop, page, 0.52, None)
    assert "from 93 % to 41 %." in text
    assert "odds" not in text


def test_it_is_said_in_german(loop: Loop, page: Browser) -> None:
    text = told(loop, page, 0.52, 2.95, **{"Accept-Language": "de"})
    assert "senkt die Sicherheit des Modells für it von 93 % auf 41 %." in text


def test_a_planted_case_is_told_like_any_other(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        planted = {case.id for case in add_honeypots(session, loop, 4)}
    told(loop, page, 0.52, 2.95)
    screens = read_all(loop, page)
    assert planted <= set(screens)
    assert {"Its odds fall by a factor of 19." in text for text in screens.values()} == {True}
