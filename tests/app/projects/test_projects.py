from collections.abc import Callable

import pytest

from app.db import transaction
from app.models import Checkpoint, Role
from app.projects.actions import ProjectError, create_project
from tests import factories
from tests.app.conftest import Browser
from tests.measured import BEFORE, figures
from worker.benchmarks.own_database import counted


@pytest.mark.usefixtures("database")
def test_a_card_shows_the_figures_of_the_current_checkpoint_with_n_and_interval(clinician: Browser) -> None:
    with transaction() as session:
        whole = factories.whole_loop(session, demo=True)
        expected = figures(whole.project, BEFORE)
    text = clinician.get("/").text
    assert expected.worst_group.value is not None
    assert f"{100 * expected.worst_group.value:.0f}" in text
    assert f"n = {expected.worst_group.n}" in text
    assert expected.worst_group_name in text
    assert "demo" in text
    assert "Sign the decision" in text
    assert text.count("/thumbnail?size=240") == 4


@pytest.mark.usefixtures("database")
def test_many_projects_take_no_more_statements_than_few(clinician: Browser) -> None:
    with transaction() as session:
        made = factories.whole_loop(session, per_class=2)
        for number in range(12):
            project = factories.add_project(session, f"Project {number}")
            factories.add_images(session, project, 1)
            factories.add_checkpoint(session, project)
        other = factories.whole_loop(session, "Hips", per_class=2)
        session.delete(session.get_one(Checkpoint, other.realigned.id))  # so that its critique has to be looked at
        session.delete(session.get_one(Checkpoint, other.control.id))
    with counted() as statements:
        text = clinician.get("/").text
    assert len(statements) <= 10, "\n".join(statements)
    assert text.count("Explain checkpoint 1") == 12
    assert f"/projects/{made.project.id}/compare" in text
    assert text.count("/thumbnail?size=240") == 14 * 4


def test_figures_that_are_missing_say_so(clinician: Browser) -> None:
    with transaction() as session:
        project = factories.add_project(session)
        factories.add_images(session, project, 1)
        factories.add_checkpoint(session, project)
    assert clinician.get("/").text.count("not measured yet") == 2


def test_without_projects_the_page_says_how_to_get_one(clinician: Browser) -> None:
    assert "No projects yet" in clinician.get("/").text


def test_names_from_uploads_are_shown_as_text(clinician: Browser) -> None:
    with transaction() as session:
        factories.add_project(session, "<script>alert(1)</script>")
    text = clinician.get("/").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.usefixtures("database")
def test_opening_a_project_leads_to_where_it_stands(clinician: Browser) -> None:
    with transaction() as session:
        project = factories.whole_loop(session).project
    answer = clinician.get(f"/projects/{project.id}", follow_redirects=False)
    assert answer.headers["location"] == f"/projects/{project.id}/compare"


@pytest.mark.parametrize("classes", [["one"], ["one", "one"], ["one", " "], []])
def test_a_project_needs_two_classes_of_different_names(sqlite: None, classes: list[str]) -> None:
    with transaction() as session, pytest.raises(ProjectError):
        create_project(session, "Knees", "", classes)


def test_a_project_keeps_the_order_of_its_classes_and_its_name_is_taken_once(sqlite: None) -> None:
    with transaction() as session:
        project = create_project(session, " Knees ", "task", ["b", "a"])
        assert [(target.position, target.name) for target in project.classes] == [(0, "b"), (1, "a")]
        with pytest.raises(ProjectError, match="already"):
            create_project(session, "Knees", "task", ["b", "a"])


def test_the_page_shows_whom_it_belongs_to(as_role: Callable[[Role], Browser]) -> None:
    assert "A-Engineer" in as_role(Role.ENGINEER).get("/").text
