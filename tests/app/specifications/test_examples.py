import re
from collections.abc import Callable
from html import unescape

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import JudgeExample, Project, User
from app.specifications.queries import BUILT_IN
from tests.app.conftest import Browser
from tests.factories import add_project, add_user
from worker.method.judge import DEFAULT_EXAMPLES


@pytest.fixture
def project(stored: None) -> Project:
    with transaction() as session:
        return add_project(session)


@pytest.fixture
def page(project: Project, signed_in: Callable[[User], Browser]) -> Browser:
    with transaction() as session:
        user = add_user(session)
    return signed_in(user)


def rows(project: Project) -> list[tuple[str, str]]:
    with reading() as session:
        found = select(JudgeExample).where(JudgeExample.project_id == project.id).order_by(JudgeExample.position)
        return [(row.text, row.verdict.value) for row in session.scalars(found)]


@pytest.mark.usefixtures("database")
def test_rows_are_saved_in_their_order_without_the_empty_ones(project: Project, page: Browser) -> None:
    address = f"/projects/{project.id}/specification/examples"
    form = {"text": ["It covers  a letter.", " ", "A bone spur."], "verdict": ["spurious", "spurious", "relevant"]}
    for _ in range(2):  # the second time over the first rows
        assert page.change(address, data=form).status_code == 303
    assert rows(project) == [("It covers a letter.", "spurious"), ("A bone spur.", "relevant")]
    assert ">A bone spur.</textarea>" in page.get(address).text


def test_a_verdict_that_no_example_may_have_is_refused(project: Project, page: Browser) -> None:
    form = {"text": ["Hard to say."], "verdict": ["uncertain"]}
    answer = page.change(f"/projects/{project.id}/specification/examples", data=form)
    assert answer.status_code == 422
    assert rows(project) == []


def test_the_built_in_examples_are_those_of_the_judge() -> None:
    assert tuple((each.text, each.verdict) for each in DEFAULT_EXAMPLES) == BUILT_IN


def test_without_rows_the_built_in_examples_stand_in_the_fields_to_be_edited(project: Project, page: Browser) -> None:
    address = f"/projects/{project.id}/specification/examples"
    text = page.get(address).text
    assert "five built-in ones" in text
    given = [unescape(each) for each in re.findall(r'name="text" maxlength="500" rows="2">([^<]*)<', text)]
    chosen = re.findall(r'value="(spurious|relevant)" selected', text)
    assert list(zip(given, chosen, strict=True))[:5] == list(BUILT_IN)
    page.change(address, data={"text": [*given[:4], "A bone spur."], "verdict": chosen[:5]})
    assert rows(project) == [*BUILT_IN[:4], ("A bone spur.", "relevant")]
    assert "five built-in ones" not in page.get(address).text
