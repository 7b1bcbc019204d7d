"""Planted cases among those that are read blind: met like any other, answered like any other, and never counted."""

import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image as Picture
from sqlalchemy import func, select

from app.db import reading, transaction
from app.models import Answer, HoneypotAnswer, HoneypotCase, Named, Review, User
from app.projects.queries import is_read
from app.review.actions import record_answer
from app.review.blind import blind_cases_left, sampled
from app.review.reliability import answers_given
from app.review.renewal import answered_critiques
from app.review.standing import newest_answers, standings
from app.review.worklist import worklist
from tests.app.conftest import Browser
from tests.app.review.test_page import address, answer, asked, reviews, undo
from tests.factories import Loop, add_honeypots

SAMPLE, PLANTED = 24, 4
ROOT = Path(__file__).parents[3]


@pytest.fixture
def planted(loop: Loop) -> list[HoneypotCase]:
    with transaction() as session:
        return add_honeypots(session, loop, PLANTED)


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def answers() -> list[HoneypotAnswer]:
    with reading() as session:
        return list(session.scalars(select(HoneypotAnswer).order_by(HoneypotAnswer.created_at)))


def read_all(loop: Loop, page: Browser, value: str = "spurious") -> dict[UUID, str]:
    """Every screen of the blind reading by the case that it asks about, in the order in which they came."""
    screens, text = {}, page.get(address(loop)).text
    while "First reading" in text:
        screens[UUID(asked(text))] = text
        text = answer(loop, page, asked(text), value)
    return screens


class Skeleton(HTMLParser):
    """The tags with all that they carry, and which text stands where; what differs from case to case is named."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(f"<{tag} {[(name, self.neutral(value or '')) for name, value in attrs]}>")

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(self.neutral(data))

    def neutral(self, text: str) -> str:
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "ID", text)
        text = re.sub(self.names, "NAME", text)
        text = re.sub(r"about .* left", "about SOME left", text)
        return re.sub(r"(?s)Covering it .*", "Covering it DOES SOMETHING.", re.sub(r"\d+", "N", text))


def skeleton(loop: Loop, text: str) -> str:
    places = {cluster.place for each in loop.explanations for cluster in each.clusters}
    paths = {each.image.path for each in loop.explanations}
    parser = Skeleton([*places, *paths, *(target.name for target in loop.project.classes)])
    shown = text.split('<div id="case"')[1].split("<dialog", maxsplit=1)[0].rsplit("<p id=", 1)[0]
    parser.feed(re.sub(r"<button[^>]*data-region=.*?</button>", "", shown))  # as many as there are regions
    return "\n".join(parser.parts)


def test_a_planted_case_is_met_as_any_other_and_the_truth_is_not_sent(
    loop: Loop, page: Browser, planted: list[HoneypotCase]
) -> None:
    page.headers["HX-Request"] = "true"  # one form of response for all of them
    first = answer(loop, page, asked(page.get(address(loop)).text))
    undo(loop, page)
    screens = read_all(loop, page)
    assert {each.id for each in planted} <= set(screens)
    assert "we drew into them" in first
    assert len({skeleton(loop, text) for text in list(screens.values())[1:]}) == 1
    for each in planted:
        for secret in (
            str(each.run_id),
            each.picture,
            each.assignment,
            "honeypot",
            "planted",
            f"{each.explanation_id}",
        ):
            assert secret not in screens[each.id]


def test_pictures_of_a_planted_case_come_as_those_of_any_other(
    loop: Loop, page: Browser, planted: list[HoneypotCase]
) -> None:
    def told(case_id: UUID, rest: str) -> object:
        given = page.get(f"/pictures/cases/{case_id}/{rest}")
        assert given.status_code == 200
        picture = Picture.open(BytesIO(given.content))
        headers = {
            name: value for name, value in given.headers.items() if name not in {"etag", "content-length", "date"}
        }
        return headers, picture.size, picture.mode, picture.info

    real = loop.explanations[5].clusters[0].id
    for rest in ("image", "layer", "layer?cluster=1"):
        assert told(planted[0].id, rest) == told(real, rest)
    assert Picture.open(BytesIO(page.get(f"/pictures/cases/{planted[3].id}/image").content)).getpixel((9, 9)) == (
        3,
        0,
        0,
    )


@pytest.mark.usefixtures("database")
def test_planted_cases_lie_among_the_sample_and_are_the_same_for_every_reader(
    loop: Loop, page: Browser, planted: list[HoneypotCase], signed_in: Callable[[User], Browser]
) -> None:
    screens = read_all(loop, page)
    assert list(screens) == sorted(screens)
    assert len(screens) == SAMPLE + PLANTED
    for place, text in enumerate(screens.values(), start=1):
        assert f"First reading, case {place} of {SAMPLE + PLANTED}" in text
        assert f"These first {SAMPLE + PLANTED} are read" in text
    assert list(read_all(loop, signed_in(loop.engineer), "relevant")) == list(screens)


def test_where_none_are_planted_nothing_changes(loop: Loop, page: Browser) -> None:
    screens = read_all(loop, page)
    assert len(screens) == SAMPLE
    assert not any("star" in text for text in screens.values())
    assert answers() == []


def test_an_answer_is_kept_apart_from_reviews_and_rows_are_only_added(
    loop: Loop, page: Browser, planted: list[HoneypotCase]
) -> None:
    case_id = str(planted[0].id)
    for value in ("spurious", "spurious", "can't tell"):
        answer(loop, page, case_id, value)
    assert [(row.answer, row.case_id) for row in answers()] == [
        (Answer.SPURIOUS, planted[0].id),
        (Answer.CANT_TELL, planted[0].id),
    ]
    assert reviews() == []


@pytest.mark.usefixtures("database")
def test_undo_takes_the_last_answer_back_whichever_case_it_was_on(
    loop: Loop, page: Browser, planted: list[HoneypotCase]
) -> None:
    text = page.get(address(loop)).text
    given = []
    while len(answers()) == 0 or len(given) < 4:
        given.append(asked(text))
        text = answer(loop, page, asked(text), "can't tell")
    for case_id in reversed(given):
        text = undo(loop, page)
        assert asked(text) == case_id
    assert answers()[-1].answer is Answer.WITHDRAWN
    assert f"case 1 of {SAMPLE + PLANTED}" in text
    assert asked(undo(loop, page)) == given[0]


def test_the_verdicts_stay_closed_until_the_planted_cases_are_answered_too(
    loop: Loop, page: Browser, planted: list[HoneypotCase]
) -> None:
    with transaction() as session:
        for cluster_id in session.scalars(select(sampled(loop.critique).c.cluster_id)).all():
            record_answer(session, loop.critique, loop.clinician, cluster_id, Answer.RELEVANT)
    with reading() as session:
        assert blind_cases_left(session, loop.critique, loop.clinician) == PLANTED
    text = page.get(address(loop)).text
    assert UUID(asked(text)) in {each.id for each in planted}
    assert f"case {SAMPLE + 1} of" in text
    read_all(loop, page)
    assert {review.blind for review in reviews()} == {True}
    refused = page.change(
        address(loop, f"/{loop.critique.id}/answers"), data={"cluster_id": str(planted[0].id), "answer": "relevant"}
    )
    assert refused.status_code == 409
    assert len(answers()) == PLANTED
    undo(loop, page)
    assert Answer.WITHDRAWN not in {row.answer for row in answers()}


@pytest.mark.usefixtures("database")
def test_what_is_planted_after_a_reader_has_begun_is_for_the_others(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    first = asked(page.get(address(loop)).text)
    answer(loop, page, first)
    undo(loop, page)
    with transaction() as session:
        planted = add_honeypots(session, loop)
    assert set(read_all(loop, page)).isdisjoint(each.id for each in planted)
    refused = page.change(
        address(loop, f"/{loop.critique.id}/answers"), data={"cluster_id": str(planted[0].id), "answer": "relevant"}
    )
    assert refused.status_code == 404
    assert len(read_all(loop, signed_in(loop.engineer))) == SAMPLE + PLANTED


@pytest.mark.usefixtures("database")
def test_no_answer_on_a_planted_case_counts_for_anything_but_the_readers_score(
    loop: Loop, planted: list[HoneypotCase]
) -> None:
    def counted() -> list[object]:
        """All that reviews are counted or read for."""
        with reading() as session:
            return [
                worklist(session, loop.project, loop.critique, loop.clinician).counts,
                standings(session, loop.critique.id),
                newest_answers(session, loop.critique.id),
                answers_given(session, loop.critique.id),
                answered_critiques(session),
                is_read(session, loop.critique),
                session.scalar(select(func.count()).select_from(Review)),
            ]

    before = counted()
    with transaction() as session:
        for reader in (loop.clinician, loop.engineer):
            for case in planted:
                said = Answer.RELEVANT if case.truth is Named.SPURIOUS else Answer.SPURIOUS
                record_answer(session, loop.critique, reader, case.id, said)
    assert len(answers()) == 2 * PLANTED
    assert counted() == before


def test_only_these_modules_know_of_planted_cases() -> None:
    """Whatever else reads answers can't meet them; whoever adds a line here proves that nothing is trained on them."""
    naming = {
        str(path.relative_to(ROOT))
        for folder in ("app", "worker")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"Honeypot(Case|Answer)|honeypot_(case|answer)", path.read_text())
    }
    assert naming == {
        "app/api/expert.py",
        "app/audit/scope.py",  # says that the audit log tells their rows; nothing is trained on it
        "app/audit/words.py",  # what its page calls them
        "app/check/honeypots.py",
        "app/models/__init__.py",
        "app/models/honeypot_answer.py",
        "app/models/honeypot_case.py",
        "app/pictures/routes.py",
        "app/review/actions.py",
        "app/review/honeypots.py",
        "app/review/cases.py",
        "worker/tasks/honeypot_cases.py",
        "worker/tasks/plant.py",
    }
