"""What was asked for is found again: on the page of its step while it needs somebody, and in the project's list."""

from collections.abc import Callable
from typing import Any

import pytest

from app.db import transaction
from app.models import Kind, State, User
from app.runs.parameters import ConsensusParameters, ImportParameters
from tests import factories
from tests.app.conftest import Browser
from tests.factories import Loop, add_run

PAGES = {
    Kind.IMPORT: "behaviour",
    Kind.REGISTRATION: "behaviour",
    Kind.TRAINING: "behaviour",
    Kind.ANALYSIS: "behaviour",
    Kind.CRITIQUE: "review",
    Kind.REALIGNMENT: "realign",
    Kind.EVALUATION: "compare",
}


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def add(loop: Loop, kind: Kind, state: State, **given: Any) -> None:
    with transaction() as session:
        # Pages read the row of a run that gave nothing, not what it was asked to do.
        run = add_run(session, loop.project, ImportParameters(name="more"), kind, loop.engineer, state)
        for name, value in given.items():
            setattr(run, name, value)


@pytest.mark.usefixtures("database")
def test_a_failed_run_is_told_of_on_the_page_of_its_step(loop: Loop, page: Browser) -> None:
    for kind, path in PAGES.items():
        add(loop, kind, State.FAILED, error=f"The disk is full: {kind.value}.")
        text = page.get(f"/projects/{loop.project.id}/{path}").text
        assert f"The disk is full: {kind.value}." in text


def test_a_failure_is_forgotten_once_the_step_succeeds(loop: Loop, page: Browser) -> None:
    add(loop, Kind.TRAINING, State.FAILED, error="The disk is full.")
    add(loop, Kind.TRAINING, State.SUCCEEDED)
    assert "The disk is full." not in page.get(f"/projects/{loop.project.id}/behaviour").text


def test_a_refused_import_tells_its_problems_row_by_row(loop: Loop, page: Browser) -> None:
    problem = {"row": 3, "path": "a<b>.png", "message": "It is no picture."}
    add(loop, Kind.IMPORT, State.FAILED, error="1 problem was found.", result={"problems": [problem]})
    assert "Row 3, a&lt;b&gt;.png: It is no picture." in page.get(f"/projects/{loop.project.id}/behaviour").text


def test_a_critic_that_failed_can_be_asked_again_from_the_review(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        factories.add_specification(session, loop.project, loop.clinician, "other words")
    add(loop, Kind.CRITIQUE, State.FAILED, error="The LVLM is away.")
    text = page.get(f"/projects/{loop.project.id}/review").text
    assert "The LVLM is away." in text
    assert "Ask the critic</button>" in text


def test_work_under_way_is_shown_before_a_later_failure(loop: Loop, page: Browser) -> None:
    add(loop, Kind.TRAINING, State.RUNNING)
    add(loop, Kind.IMPORT, State.FAILED, error="The disk is full.")
    text = page.get(f"/projects/{loop.project.id}/behaviour").text
    assert "Training a first checkpoint" in text
    assert "The disk is full." not in text


@pytest.mark.usefixtures("database")
def test_the_list_tells_what_who_how_it_went_and_leads_there(loop: Loop, page: Browser) -> None:
    add(loop, Kind.IMPORT, State.FAILED, error="Row 3 has no picture.")
    add(loop, Kind.TRIAL, State.SUCCEEDED)
    address = f"/projects/{loop.project.id}/runs"
    assert f'href="{address}"' in page.get(f"/projects/{loop.project.id}/specification").text
    text = page.get(address).text
    assert f'href="{address}"' not in text
    assert "Row 3 has no picture." in text
    assert "Grace Engineer" in text
    assert f'href="/runs/{loop.critique.id}">The critic reads the regions' in text
    assert "Trying the specification" not in text


def test_a_comparison_that_nobody_asked_for_is_not_said_to_come_from_the_command_line(
    loop: Loop, page: Browser
) -> None:
    listed = f"/projects/{loop.project.id}/runs"
    assert "by itself" not in page.get(listed).text
    with transaction() as session:
        add_run(session, loop.project, ConsensusParameters(critique_id=loop.critique.id), Kind.CONSENSUS)
    text = page.get(listed).text
    assert "<td>by itself</td>" in text
    assert "the command line" not in text
