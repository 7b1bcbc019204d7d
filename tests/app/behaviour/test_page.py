import re
from collections.abc import Callable
from html import unescape

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Cluster, Kind, Project, Report, Role, Run, Split, State, User
from app.runs.parameters import AnalysisParameters
from tests.app.conftest import Browser
from tests.factories import (
    Loop,
    add_analysis,
    add_checkpoint,
    add_images,
    add_project,
    add_run,
    add_user,
    images_of,
    whole_loop,
)
from tests.statements import counted


@pytest.fixture
def loop(stored: None) -> Loop:
    with transaction() as session:
        return whole_loop(session)


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def address(loop: Loop, rest: str = "") -> str:
    return f"/projects/{loop.project.id}/behaviour{rest}"


@pytest.mark.usefixtures("database")
def test_every_figure_of_a_sentence_opens_the_pictures_behind_it(loop: Loop, page: Browser) -> None:
    text = page.get(address(loop)).text
    links = [unescape(link) for link in re.findall(r'href="([^"]*sentence=[^"]*)"', text)]
    summaries = loop.analysis.result["summaries"]
    assert len(links) == sum(bool(part["images"]) for each in summaries.values() for s in each for part in s["parts"])
    for link in links:
        class_id, sentence, part = re.search(r"class_id=([^&]*)&sentence=(\d+)&part=(\d+)", link).groups()  # type: ignore[union-attr]
        behind = summaries[class_id][int(sentence)]["parts"][int(part)]["images"]
        pictures = page.get(link).text
        shown = re.findall(r"/pictures/explanations/([^/]*)/overlay", pictures)
        assert shown == behind


@pytest.mark.usefixtures("database")
def test_a_region_opens_the_pictures_that_have_it(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[1]
    link = address(loop, f"/pictures?analysis={loop.analysis.id}&class_id={target.id}&words=letter")
    shown = re.findall(r"/pictures/explanations/([^/]*)/overlay", page.get(link).text)
    expected = [
        str(each.id)
        for each in loop.explanations
        if each.image.class_id == target.id and any(cluster.words == "letter" for cluster in each.clusters)
    ]
    assert shown == expected


@pytest.mark.usefixtures("database")
def test_errors_of_a_group_are_its_wrong_answers_only(loop: Loop, page: Browser) -> None:
    with reading() as session:
        report = session.scalars(select(Report).where(Report.checkpoint_id == loop.original.id)).first()
    assert report is not None
    text = page.get(address(loop, f"/errors?report={report.id}&group=healthy, letter present")).text
    shown = re.findall(r'alt="(test/[^"]*)"', text)
    # The factory answers every second image wrongly: those are the ones with a letter.
    assert shown == [f"test/healthy/{index:04}.png" for index in (0, 2, 4)]


def test_words_of_the_lvlm_are_escaped_and_marked_as_its_words(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        for cluster in session.scalars(select(Cluster).where(Cluster.words == "letter")):
            cluster.words = "<script>alert(1)</script>"
    text = page.get(address(loop)).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "demo model" in text
    assert "knows digits only" in text


@pytest.mark.usefixtures("database")
def test_every_group_is_shown_with_its_n_and_its_interval(loop: Loop, page: Browser) -> None:
    text = page.get(address(loop)).text
    for name, interval in (("healthy, letter present", "37–57"), ("osteoarthritis, letter absent", "52–72")):
        row = re.search(rf"<td>{name}.*?</tr>", text, re.DOTALL)
        assert row is not None
        assert ">98<" in row[0]
        assert interval in row[0]


def test_the_page_takes_at_most_twelve_statements(loop: Loop, page: Browser) -> None:
    with counted() as statements:
        assert page.get(address(loop)).status_code == 200
    assert len(statements) <= 12, "\n".join(statements)


def test_a_list_of_pictures_takes_at_most_twelve_statements(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[0]
    with counted() as statements:
        page.get(address(loop, f"/pictures?analysis={loop.analysis.id}&class_id={target.id}"))
    assert len(statements) <= 12, "\n".join(statements)


def test_a_project_without_a_model_says_what_an_engineer_does(as_role: Callable[[Role], Browser]) -> None:
    with transaction() as session:
        project = add_project(session, "New")
    clinician = as_role(Role.CLINICIAN)
    text = clinician.get(f"/projects/{project.id}/behaviour").text
    assert "There is no model here yet" in text
    assert "rightreasons train" in text


def test_a_checkpoint_that_is_not_explained_can_be_explained_from_the_page(
    stored: None, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        user = add_user(session)
        project = add_project(session)
        checkpoint = add_checkpoint(session, project)
    browser = signed_in(user)
    assert "Explain the model" in browser.get(f"/projects/{project.id}/behaviour").text
    form = {"checkpoint_id": str(checkpoint.id), "count": "60", "strategy": "random", "components": "4"}
    answer = browser.change(f"/projects/{project.id}/behaviour", data=form)
    assert answer.status_code == 303
    with reading() as session:
        run = session.scalars(select(Run).where(Run.kind == Kind.ANALYSIS)).one()
    parameters = AnalysisParameters.model_validate(run.parameters)
    assert (parameters.count, parameters.strategy, parameters.components) == (60, "random", 4)
    assert run.created_by_id == user.id
    assert "Explaining the checkpoint" in browser.get(f"/projects/{project.id}/behaviour").text


def test_a_checkpoint_of_another_project_is_not_explained(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        other = add_checkpoint(session, add_project(session, "Other"))
    answer = page.change(address(loop), data={"checkpoint_id": str(other.id), "count": "10"})
    assert answer.status_code == 404
    with reading() as session:
        assert session.scalars(select(Run).where(Run.state == State.QUEUED)).all() == []


def test_a_class_without_pictures_says_so(stored: None, signed_in: Callable[[User], Browser]) -> None:
    with transaction() as session:
        user = add_user(session)
        project = add_project(session)
        dataset = add_images(session, project, per_class=2)
        checkpoint = add_checkpoint(session, project)
        healthy = [
            image for image in images_of(session, dataset, Split.TRAIN) if image.class_id == project.classes[0].id
        ]
        add_analysis(session, project, checkpoint, healthy)
    text = signed_in(user).get(f"/projects/{project.id}/behaviour").text
    assert text.count("None of the explained pictures is of this class.") == 1
    assert "was not measured" in text


def test_an_analysis_under_way_is_shown_above_the_one_that_stands(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        parameters = AnalysisParameters(checkpoint_id=loop.original.id)
        add_run(session, loop.project, parameters, Kind.ANALYSIS, state=State.RUNNING)
    text = page.get(address(loop)).text
    assert "Explaining the checkpoint" in text
    assert "Most typical" in text


def test_an_earlier_analysis_can_still_be_read(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        newer = add_analysis(session, loop.project, loop.original, loop.images[:4])
    text = page.get(address(loop)).text
    assert f"analysis={loop.analysis.id}" in text
    older = page.get(address(loop, f"?analysis={loop.analysis.id}")).text
    assert f"analysis={newer.id}" in older
    assert "12 training pictures explained" in older


@pytest.mark.usefixtures("database")
def test_groups_by_an_attribute_that_no_picture_carries_are_warned_of(loop: Loop, page: Browser) -> None:
    assert "which no picture of this project carries" not in page.get(address(loop)).text
    with transaction() as session:
        session.get_one(Project, loop.project.id).group_by = ["letter", "letterr"]
    assert "The groups are made by letterr, which no picture of this project carries" in page.get(address(loop)).text


def test_the_pictures_that_were_explained_are_counted_not_those_asked_for(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        run = session.get_one(Run, loop.analysis.id)
        run.parameters = {**run.parameters, "count": 200}
    assert "12 training pictures explained" in page.get(address(loop)).text


@pytest.mark.usefixtures("database")
def test_a_page_beyond_all_numbers_is_refused(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[0]
    link = address(loop, f"/pictures?analysis={loop.analysis.id}&class_id={target.id}")
    assert page.get(f"{link}&page=1000000").status_code == 200
    assert page.get(f"{link}&page={10**20}").status_code == 422
    assert page.get(f"/projects/{loop.project.id}/realign/pictures?page={10**20}").status_code == 422


def test_a_figure_that_does_not_exist_is_a_sentence_not_a_failure(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[0]
    link = address(loop, f"/pictures?analysis={loop.analysis.id}&class_id={target.id}&sentence=99&part=0")
    answer = page.get(link)
    assert answer.status_code == 404
    assert "This sentence has no such figure." in answer.text
