import re
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import JudgeExample, Kind, Run, Specification, State, User, VerdictValue
from app.runs.parameters import CritiqueParameters, TrialParameters
from tests.app.conftest import Browser
from tests.factories import (
    Loop,
    add_analysis,
    add_project,
    add_specification,
    add_user,
    finish_trial,
)
from worker.benchmarks.own_database import counted


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def address(loop: Loop, rest: str = "") -> str:
    return f"/projects/{loop.project.id}/specification{rest}"


def words(loop: Loop, spurious: str = "letters", relevant: str = "joint space", **others: str) -> dict[str, object]:
    """A form as the page sends it, with the same words for every class."""
    classes = loop.project.classes
    return {
        "class_id": [str(target.id) for target in classes],
        "spurious": [spurious] * len(classes),
        "relevant": [relevant] * len(classes),
        "notes": [""] * len(classes),
        "base_version": "1",
        "reason": "",
        **others,
    }


def versions(loop: Loop) -> list[int]:
    with reading() as session:
        found = select(Specification.version).where(Specification.project_id == loop.project.id)
        return sorted(session.scalars(found))


def runs_of(kind: Kind) -> list[Run]:
    with reading() as session:
        return list(session.scalars(select(Run).where(Run.kind == kind).order_by(Run.created_at)))


def test_saving_makes_the_next_version_and_offers_the_critic(loop: Loop, page: Browser) -> None:
    answer = page.change(address(loop), data=words(loop, "letters, initials", reason="Initials too"))
    assert answer.headers["location"] == address(loop, "?saved=2")
    text = page.get(answer.headers["location"]).text
    assert "Version 2 is saved." in text
    assert "Ask the critic" in text
    assert "Initials too" in text
    assert versions(loop) == [1, 2]


def test_the_same_words_make_no_new_version(loop: Loop, page: Browser) -> None:
    page.change(address(loop), data=words(loop, "letters, initials"))
    page.change(address(loop), data=words(loop, "letters, initials"))
    assert versions(loop) == [1, 2]


@pytest.mark.usefixtures("database")
def test_words_written_on_an_older_version_are_kept_and_shown_beside_the_newer_one(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        other = add_user(session, "grace", display_name="Dr. Grace")
        add_specification(session, loop.project, other, spurious="letters in any corner")
    answer = page.change(address(loop), data=words(loop, "my own words"))
    assert answer.status_code == 409
    assert "Version 2 was saved by Dr. Grace while you wrote." in answer.text
    assert "<ins>any</ins>" in answer.text
    assert "my own words</textarea>" in answer.text
    assert 'name="base_version" value="2"' in answer.text
    assert versions(loop) == [1, 2]


def test_a_saved_version_is_never_changed(loop: Loop, page: Browser) -> None:
    page.change(address(loop), data=words(loop, "other words"))
    with reading() as session:
        first = session.scalars(select(Specification).where(Specification.id == loop.specification.id)).one()
    assert first.version == 1
    assert "letters in a corner" in page.get(address(loop, "/versions/1")).text


def test_a_version_shows_what_changed_word_by_word(loop: Loop, page: Browser) -> None:
    page.change(address(loop), data=words(loop, "letters in every corner", "the joint space and the edges of the bone"))
    text = page.get(address(loop, "/versions/2")).text
    assert text.count("letters in <del>a</del><ins>every</ins> corner") == 2
    assert "healthy · The model should ignore" in text
    assert "healthy · The model should use" not in text


def test_a_suggestion_from_behaviour_is_written_into_its_field(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[0]
    text = page.get(address(loop, f"?class_id={target.id}&ignore=bone")).text
    assert f'id="spurious-{target.id}"' in text
    assert "letters in a corner, bone</textarea>" in text
    assert versions(loop) == [1]


def test_regions_that_are_not_spoken_of_are_suggested(loop: Loop, page: Browser) -> None:
    text = page.get(address(loop)).text
    suggested = re.findall(r'data-take="([^"]*)" data-into="spurious', text)
    assert set(suggested) == {
        "a small bright area in the lower part"
    }  # letters, joint space and bone stand in the words


def test_cautions_come_while_writing(loop: Loop, page: Browser) -> None:
    answer = page.change(address(loop, "/cautions"), data=words(loop, "letters", "a letter"))
    assert answer.text.count("is to be ignored for healthy") == 2
    assert versions(loop) == [1]


@pytest.mark.usefixtures("database")
def test_trying_asks_about_six_pictures_of_the_class_under_unsaved_words(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[1]
    answer = page.change(address(loop, "/trials"), data=words(loop, "only tried", try_class=str(target.id)))
    (run,) = runs_of(Kind.TRIAL)
    parameters = TrialParameters.model_validate(run.parameters)
    assert {entry.spurious for entry in parameters.entries} == {"only tried"}
    expected = {each.id for each in loop.explanations if each.image.class_id == target.id}
    assert set(parameters.explanation_ids) == expected
    assert len(expected) == 6
    assert f"/trials/{run.id}" in answer.text
    assert 'hx-trigger="every' in answer.text
    assert versions(loop) == [1]


def test_a_class_without_explained_pictures_says_what_to_do_instead_of_trying(loop: Loop, page: Browser) -> None:
    target = loop.project.classes[1]
    with transaction() as session:
        healthy = [image for image in loop.images if image.class_id != target.id]
        add_analysis(session, loop.project, loop.original, healthy)
    answer = page.change(
        address(loop, "/trials"), data=words(loop, try_class=str(target.id)), headers={"HX-Request": "true"}
    )
    assert answer.status_code == 409
    assert "Explain the model again under Understand" in answer.text
    assert runs_of(Kind.TRIAL) == []


def test_a_finished_trial_shows_its_verdicts_and_asks_no_more(loop: Loop, page: Browser) -> None:
    page.change(address(loop, "/trials"), data=words(loop, try_class=str(loop.project.classes[0].id)))
    with transaction() as session:
        run = session.scalars(select(Run).where(Run.kind == Kind.TRIAL)).one()
        finish_trial(run, loop.explanations[:6])
        run.result["cases"][0]["verdicts"][0]["flag"] = "It names this as spurious."
    text = page.fragment(address(loop, f"/trials/{run.id}")).text
    assert text.count("Look twice. It names this as spurious.") == 1
    assert "every" not in re.sub(r"<[^>]*>", "", text)
    assert "hx-trigger" not in text
    assert text.count("<img") == 6
    assert "demo model" in text
    assert text.count("spurious .") == 3  # every second of the six has a letter


def test_a_failed_trial_says_why_and_that_the_words_are_untouched(loop: Loop, page: Browser) -> None:
    page.change(address(loop, "/trials"), data=words(loop, try_class=str(loop.project.classes[0].id)))
    with transaction() as session:
        run = session.scalars(select(Run).where(Run.kind == Kind.TRIAL)).one()
        run.state, run.error = State.FAILED, "The LVLM's folder is missing."
    text = page.fragment(address(loop, f"/trials/{run.id}")).text
    assert "The LVLM&#39;s folder is missing." in text
    assert "Your words are untouched." in text


@pytest.mark.usefixtures("database")
def test_asking_the_critic_starts_one_critique_with_the_judges_examples(loop: Loop, page: Browser) -> None:
    page.change(address(loop), data=words(loop, "letters, initials"))
    with transaction() as session:
        session.add(
            JudgeExample(
                project_id=loop.project.id, position=0, text="It covers a letter.", verdict=VerdictValue.SPURIOUS
            )
        )
    for _ in range(2):  # a double click
        answer = page.change(address(loop, "/critique"))
        assert answer.headers["location"] == f"/projects/{loop.project.id}/review"
    _, run = runs_of(Kind.CRITIQUE)
    parameters = CritiqueParameters.model_validate(run.parameters)
    assert parameters.analysis_id == loop.analysis.id
    assert parameters.specification_id != loop.specification.id
    assert parameters.examples == (("It covers a letter.", "spurious"),)


def test_a_critic_that_failed_under_the_saved_version_can_be_asked_again(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        run = session.get_one(Run, loop.critique.id)
        run.state, run.error = State.FAILED, "The LVLM is away."
    text = page.get(address(loop, "?saved=1")).text
    assert "The critic began to read under it and stopped. The LVLM is away." in text
    assert "Ask the critic</button>" in text


def test_a_project_without_an_lvlm_offers_no_trial(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        session.get_one(type(loop.project), loop.project.id).lvlm = "none"
    text = page.get(address(loop)).text
    assert "Try it" not in text
    assert "people judge the regions" in text


def test_a_form_without_every_class_changes_nothing(loop: Loop, page: Browser) -> None:
    form = words(loop)
    form["class_id"] = [str(UUID(int=1)), str(UUID(int=2))]
    answer = page.change(address(loop), data=form)
    assert answer.status_code == 422
    assert versions(loop) == [1]


def test_an_empty_project_begins_with_empty_fields_and_no_cautions(
    stored: None, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        user = add_user(session)
        project = add_project(session)
    text = signed_in(user).get(f"/projects/{project.id}/specification").text
    assert "Nothing is written yet." in text
    assert "Nothing is said of" not in text


def test_the_page_takes_at_most_twelve_statements(loop: Loop, page: Browser) -> None:
    with counted() as statements:
        assert page.get(address(loop)).status_code == 200
    assert len(statements) <= 12, "\n".join(statements)
