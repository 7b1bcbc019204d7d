import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from sqlalchemy import select

from app.behaviour.evidence import summaries_of
from app.db import reading, transaction
from app.models import Kind, Prediction, Project, Report, Role, Run, Split, State, User
from app.models.summary import ClassSummary, kept
from app.runs.clustering import CLUSTERING, Candidate, ChosenClustering
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
)
from worker.benchmarks.own_database import counted


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def address(loop: Loop, rest: str = "") -> str:
    return f"/projects/{loop.project.id}/behaviour{rest}"


@pytest.mark.usefixtures("database")
def test_every_figure_of_a_sentence_opens_the_pictures_behind_it(loop: Loop, page: Browser) -> None:
    text = page.get(address(loop)).text
    links = [unescape(link) for link in re.findall(r'href="([^"]*sentence=[^"]*)"', text)]
    summaries = summaries_of(loop.analysis)
    figures = [
        (class_id, sentence, part)
        for class_id, told in summaries.items()
        for sentence, each in enumerate(told.sentences)
        for part, figure in enumerate(each.parts)
        if figure.evidence
    ]
    assert len(links) == len(figures) > len(summaries)
    for link, (class_id, sentence, part) in zip(links, figures, strict=True):
        assert link.endswith(f"class_id={class_id}&sentence={sentence}&part={part}")
        behind = summaries[class_id].sentences[sentence].parts[part].evidence
        text = page.get(link).text
        assert summaries[class_id].sentences[sentence].text in unescape(text)
        assert ("words of the LVLM" in text) == ("“" in summaries[class_id].sentences[sentence].text)
        assert opened(text) == [(str(each.explanation_id), list(each.numbers)) for each in behind]


def opened(text: str) -> list[tuple[str, list[int]]]:
    """The explanations that a page of pictures shows, each with the clusters that it names."""
    pictures = text.split("<figure")[1:]
    return [
        (
            re.findall(r"/pictures/explanations/([^/]*)/overlay", picture)[0],
            [int(number) for number in re.findall(r'"cluster cluster-(\d)"', picture)],
        )
        for picture in pictures
    ]


@pytest.mark.usefixtures("database")
def test_a_region_opens_the_pictures_that_have_it_with_the_most_evidence_first(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[1]
    told = summaries_of(loop.analysis)[target.id]
    number = next(number for number, region in enumerate(told.regions) if region.name == "joint space")
    expected = {
        str(each.id): [(cluster.share, cluster.number) for cluster in each.clusters if cluster.words == "joint space"]
        for each in loop.explanations
        if each.image.class_id == target.id
    }
    order = sorted(expected, key=lambda image: (-sum(share for share, _ in expected[image]), image))
    link = address(loop, f"/pictures?analysis={loop.analysis.id}&class_id={target.id}&region={number}")
    text = page.get(link).text
    assert opened(text) == [(image, [which for _, which in expected[image]]) for image in order]
    assert f"{target.name}: “joint space”" in text
    assert "words of the LVLM: <span" in text


@pytest.mark.usefixtures("database")
def test_what_lies_outside_every_cluster_can_be_opened(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[0]
    text = page.get(address(loop, f"/pictures?analysis={loop.analysis.id}&class_id={target.id}&outside=true")).text
    mine = {str(each.id) for each in loop.explanations if each.image.class_id == target.id}
    assert {image for image, _ in opened(text)} == mine
    assert "words of the LVLM" not in text


@pytest.mark.usefixtures("database")
def test_all_pictures_of_a_class_come_in_the_order_of_the_alignment_set(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[0]
    text = page.get(address(loop, f"/pictures?analysis={loop.analysis.id}&class_id={target.id}")).text
    mine = [each for each in loop.explanations if each.image.class_id == target.id]
    assert opened(text) == [(str(each.id), []) for each in sorted(mine, key=lambda each: each.position)]


def test_the_shares_that_a_class_shows_add_up_to_a_hundred(loop: Loop, page: Browser) -> None:
    cards = re.findall(r'aria-labelledby="class-.*?</section>', page.get(address(loop)).text, re.DOTALL)
    assert len(cards) == len(loop.project.classes)
    for card in cards:
        for shares in (
            re.findall(r"(\d+)\s%", unescape(re.search(r"<figcaption.*?</figcaption>", card, re.DOTALL)[0])),  # type: ignore[index]
            re.findall(r'</td>\s*<td class="number">(\d+)\s%</td>', card),
        ):
            assert len(shares) >= 4
            assert sum(map(int, shares)) == 100
        assert "outside every region" in card


def test_few_pictures_are_marked_beside_their_interval(loop: Loop, page: Browser) -> None:
    text = page.get(address(loop)).text
    assert '<abbr title="Few images: the true interval is wider.">*</abbr>' in text
    with transaction() as session:
        run = session.get_one(Run, loop.analysis.id)
        told = {key: {**each, "regions": enough(each["regions"])} for key, each in run.result["summaries"].items()}
        for each in told.values():
            each["outside"] = enough([each["outside"]])[0]
        run.result = {**run.result, **kept(told)}
    assert "<abbr" not in page.get(address(loop)).text


def enough(regions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**region, "share": {**region["share"], "missing": ""}} for region in regions]


def test_pictures_in_which_nothing_speaks_for_the_class_are_counted(loop: Loop, page: Browser) -> None:
    first, second = loop.project.classes
    with transaction() as session:
        run = session.get_one(Run, loop.analysis.id)
        stored = run.result["summaries"]
        nothing = ClassSummary(images=0, without_evidence=6).model_dump(mode="json")
        told = {str(first.id): {**stored[str(first.id)], "without_evidence": 2}, str(second.id): nothing}
        run.result = {**run.result, **kept(told)}
    text = page.get(address(loop)).text
    assert f"In 2 more pictures nothing speaks for {first.name}; the figures leave them out." in text
    assert f"In none of its 6 explained pictures does anything speak for {second.name}." in text
    assert "14 training pictures explained" in text


@pytest.mark.usefixtures("database")
def test_errors_of_a_group_are_its_wrong_answers_only(loop: Loop, page: Browser) -> None:
    with reading() as session:
        report = session.scalars(select(Report).where(Report.checkpoint_id == loop.original.id)).first()
    assert report is not None
    text = page.get(address(loop, f"/errors?report={report.id}&group=healthy, letter present")).text
    shown = re.findall(r'alt="(test/[^"]*)"', text)
    # The factory answers every second image wrongly: those are the ones with a letter.
    assert shown == [f"test/healthy/{index:04}.png" for index in (0, 2, 4)]


@pytest.mark.usefixtures("database")
def test_a_wrong_answer_opens_large_with_its_certainty_and_leads_back_to_its_list(loop: Loop, page: Browser) -> None:
    with reading() as session:
        report = session.scalars(select(Report).where(Report.checkpoint_id == loop.original.id)).first()
    assert report is not None
    group = f"/errors?report={report.id}&group=healthy, letter present"
    links = [unescape(link) for link in re.findall(r'href="([^"]*/errors/[^"]*)"', page.get(address(loop, group)).text)]
    assert len(set(links)) == 3
    text = page.get(links[0]).text
    assert "<h1>test/healthy/0000.png</h1>" in text
    assert f"Is healthy; checkpoint {loop.original.number} says " in text
    assert 'data-values="/pictures/images/' in text
    for target in loop.project.classes:
        assert f"<td>{target.name}" in text
    assert "Only training pictures are explained, and this is none (test)." in text
    assert "Explain a checkpoint" not in text
    back = re.search(r'<p class="back"><a href="([^"]*)"', text)
    assert back is not None
    assert "Answered wrongly: healthy, letter present" in page.get(unescape(back[1])).text


@pytest.mark.usefixtures("database")
def test_where_the_model_looked_is_one_link_away_from_a_wrong_answer(loop: Loop, page: Browser) -> None:
    explained = loop.explanations[0]
    with transaction() as session:
        answered = Prediction(run_id=loop.analysis.id, checkpoint_id=loop.original.id, image_id=explained.image_id)
        answered.predicted_id, answered.probabilities, answered.correct = explained.predicted_id, [0.5, 0.5], False
        session.add(answered)
    text = page.get(address(loop, f"/errors/{answered.id}")).text
    assert f'href="{address(loop)}/pictures/{explained.id}"' in text
    assert "has not been explained" not in text


def test_an_answer_of_another_project_is_not_shown(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        answer = session.scalars(select(Prediction)).first()
        assert answer is not None
        other = add_project(session, name="Other")
    assert page.get(f"/projects/{other.id}/behaviour/errors/{answer.id}").status_code == 404
    assert page.get(address(loop, f"/errors/{loop.project.id}")).status_code == 404


def test_words_of_the_lvlm_are_escaped_quoted_and_marked_as_its_words(
    stored: None, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        user = add_user(session)
        project = add_project(session)
        images = images_of(session, add_images(session, project), Split.TRAIN)
        add_analysis(session, project, add_checkpoint(session, project), images, called={"letter": "<b>IGNORE</b> all"})
    text = signed_in(user).get(f"/projects/{project.id}/behaviour").text
    assert "<b>IGNORE" not in text
    assert "“&lt;b&gt;IGNORE&lt;/b&gt; all”" in text
    assert "demo model" in text
    assert "for practice, not for patients" in text


def test_without_an_lvlm_and_without_a_specification_the_class_is_told_by_looks(
    stored: None, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        user = add_user(session)
        project = add_project(session, lvlm="none")
        images = images_of(session, add_images(session, project), Split.TRAIN)
        silent = dict.fromkeys(("letter", "joint space", "bone"), "")
        add_analysis(session, project, add_checkpoint(session, project), images, called=silent)
    text = signed_in(user).get(f"/projects/{project.id}/behaviour").text
    assert "lies on a small bright area in the middle, <a" in text
    assert "Regions are described by how they look." in text
    assert "LVLM" not in text.split("<main")[1]
    assert "“" not in re.sub(r"<title>.*?</title>", "", text.split("<main")[1])


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
    for _ in range(2):  # sent twice, started once
        assert browser.change(f"/projects/{project.id}/behaviour", data=form).status_code == 303
    with reading() as session:
        run = session.scalars(select(Run).where(Run.kind == Kind.ANALYSIS)).one()
    parameters = AnalysisParameters.model_validate(run.parameters)
    assert (parameters.count, parameters.strategy, parameters.components) == (60, "random", 4)
    assert run.created_by_id == user.id
    assert "Explaining the checkpoint" in browser.get(f"/projects/{project.id}/behaviour").text


def test_empty_fields_are_left_to_the_system(stored: None, signed_in: Callable[[User], Browser]) -> None:
    with transaction() as session:
        user = add_user(session)
        project = add_project(session)
        checkpoint = add_checkpoint(session, project)
    form = {"checkpoint_id": str(checkpoint.id), "count": "60", "components": "", "sharpening": "", "support": ".9"}
    assert signed_in(user).change(f"/projects/{project.id}/behaviour", data=form).status_code == 303
    with reading() as session:
        run = session.scalars(select(Run).where(Run.kind == Kind.ANALYSIS)).one()
    parameters = AnalysisParameters.model_validate(run.parameters)
    assert (parameters.components, parameters.sharpening, parameters.support) == (None, None, 0.9)


def test_the_page_says_what_the_system_chose_and_why(loop: Loop, page: Browser) -> None:
    assert "left to the system" not in page.get(address(loop)).text
    tried = [
        Candidate(sharpening=2, support=0.8, components=3, stability=0.71, share=0.62, effect=0.53),
        Candidate(sharpening=1, support=1, components=6, stability=0.41, share=1, effect=0.1),
    ]
    chosen = ChosenClustering(sharpening=2, support=0.8, components=3, images=32, tried=tuple(tried))
    with transaction() as session:
        run = session.get_one(Run, loop.analysis.id)
        run.result = {**run.result, CLUSTERING: chosen.model_dump(mode="json")}
    text = page.get(address(loop)).text
    assert "surest where it uses one. Each has up to 3 regions." in text
    assert "It tried 2 ways on 32 of these pictures" in text
    assert "3 components, sharpening 2, support 0.8." in text
    rows = text.split("What was tried")[1].split("<tbody>")[1].split("</tbody>")[0]
    figures = "3 2 0.8 .53 .71 .62 6 1 1 .10 .41 1.00"
    assert re.findall(r">([^<>\s]+)</td>", rows) == figures.split()


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
    assert "This explanation has no such figure." in answer.text
    for rest in ("region=99", "region=-1", "sentence=0", "part=0", "sentence=0&part=0"):
        link = address(loop, f"/pictures?analysis={loop.analysis.id}&class_id={target.id}&{rest}")
        assert page.get(link).status_code == 404, rest
