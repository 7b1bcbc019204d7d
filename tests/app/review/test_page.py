import re
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from app.db import reading, transaction
from app.models import Answer, Cluster, Explanation, Image, Project, Review, Run, User, Verdict, VerdictValue
from app.review.standing import standings
from app.review.worklist import unanswered, worklist
from tests import factories
from tests.app.conftest import Browser
from tests.factories import (
    Loop,
    add_critique,
    add_project,
    add_specification,
    add_user,
)
from worker.benchmarks.own_database import counted

SAMPLE = 24


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def address(loop: Loop, rest: str = "") -> str:
    return f"/projects/{loop.project.id}/review{rest}"


def asked(text: str) -> str:
    found = re.search(r'name="cluster_id" value="([^"]*)"', text)
    assert found is not None
    return found[1]


def answer(loop: Loop, page: Browser, cluster_id: str, value: str = "spurious", **more: str) -> str:
    """The next screen, as htmx gets it."""
    given = page.change(
        address(loop, f"/{loop.critique.id}/answers"),
        data={"cluster_id": cluster_id, "answer": value, **more},
        headers={"HX-Request": "true"},
    )
    assert given.status_code == 200, given.text
    return given.text


def undo(loop: Loop, page: Browser) -> str:
    return page.change(address(loop, f"/{loop.critique.id}/undo"), data={}, headers={"HX-Request": "true"}).text


def read_blind(loop: Loop, page: Browser) -> str:
    """The first screen after the clinician's blind reading, whose answers are all ``spurious``."""
    with transaction() as session:
        factories.read_blind(session, loop.critique, loop.clinician)
    return page.get(address(loop)).text


def reviews() -> list[Review]:
    with reading() as session:
        return list(session.scalars(select(Review).order_by(Review.created_at)))


def test_a_blind_response_holds_nothing_of_the_critic_or_the_judge(loop: Loop, page: Browser) -> None:
    """The response is read, not the screen: what has not been sent can't be seen."""
    with transaction() as session:
        for verdict in session.scalars(select(Verdict)):
            verdict.text, verdict.reason, verdict.p_spurious = "critics-own-words", "judges-reason", 0.4321
            verdict.value = VerdictValue.UNCERTAIN
        for cluster in session.scalars(select(Cluster)):
            cluster.words = "name-by-lvlm"
    text = page.get(address(loop)).text
    for _ in range(SAMPLE - 1):
        for secret in ("critics-own-words", "judges-reason", ".43", "uncertain", "name-by-lvlm", "You said"):
            assert secret not in text.split("<dialog")[0].split('<div id="case"')[1]
        text = answer(loop, page, asked(text))
    assert "critics-own-words" in answer(loop, page, asked(text))


def test_a_verdict_against_its_own_words_is_marked_once_the_blind_reading_is_done(loop: Loop, page: Browser) -> None:
    assert "Look twice" not in read_blind(loop, page)
    with transaction() as session:
        for verdict in session.scalars(select(Verdict)):
            verdict.flag = "It names <this> as spurious."
    text = page.get(address(loop)).text
    assert "Look twice. It names &lt;this&gt; as spurious." in text
    with transaction() as session:
        session.execute(delete(Review))
    assert "Look twice" not in page.get(address(loop)).text


def test_answers_of_the_sample_are_blind_and_later_ones_are_not(loop: Loop, page: Browser) -> None:
    text = page.get(address(loop)).text
    for _ in range(SAMPLE):
        text = answer(loop, page, asked(text))
    answer(loop, page, asked(text), "relevant")
    assert [review.blind for review in reviews()] == [True] * SAMPLE + [False]


def test_every_reader_gets_the_same_sample_and_sees_no_other_readers_answers(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    read_blind(loop, page)
    second = signed_in(loop.engineer)
    text = second.get(address(loop)).text
    assert f"case 1 of {SAMPLE}" in text
    sample = []
    for _ in range(SAMPLE):
        assert "You said" not in text
        sample.append(UUID(asked(text)))
        text = answer(loop, second, asked(text), "relevant")
    assert sample == [review.cluster_id for review in reviews()[:SAMPLE]]


def test_the_browser_can_not_call_an_open_answer_blind_nor_skip_the_sample(loop: Loop, page: Browser) -> None:
    text = page.get(address(loop)).text
    with reading() as session:
        outside = session.scalars(select(Cluster.id).order_by(Cluster.id.desc())).first()
    refused = page.change(
        address(loop, f"/{loop.critique.id}/answers"), data={"cluster_id": str(outside), "answer": "spurious"}
    )
    assert refused.status_code == 409
    assert reviews() == []
    answer(loop, page, asked(text), blind="false")
    assert [review.blind for review in reviews()] == [True]


@pytest.mark.usefixtures("database")
def test_after_the_sample_the_least_certain_and_most_influential_come_first(loop: Loop, page: Browser) -> None:
    read_blind(loop, page)
    with reading() as session:
        rows = session.execute(
            select(Verdict, Cluster)
            .join(Cluster, Cluster.id == Verdict.cluster_id)
            .where(Cluster.id.not_in(select(Review.cluster_id)))
        ).all()

    def weight(verdict: Verdict, cluster: Cluster) -> tuple[bool, float]:
        doubt = 1 - 2 * abs(verdict.p_spurious - 0.5)
        return verdict.value is not VerdictValue.UNCERTAIN, -doubt * (cluster.share + abs(cluster.effect))

    expected = [cluster.id for verdict, cluster in sorted(rows, key=lambda row: weight(*row))]
    text = page.get(address(loop)).text
    seen = []
    for _ in range(6):
        seen.append(UUID(asked(text)))
        text = answer(loop, page, asked(text), "relevant")
    assert seen == expected[:6]


def test_the_remaining_count_is_true(loop: Loop, page: Browser) -> None:
    text = read_blind(loop, page)
    total = sum(len(each.clusters) for each in loop.explanations)
    left = total - SAMPLE
    for _ in range(3):
        assert f"{left} of {total} left" in text
        text = answer(loop, page, asked(text), "can't tell")
        left -= 1
    assert f"{left + 1} of {total} left" in undo(loop, page)


@pytest.mark.usefixtures("database")
def test_undo_shows_the_case_again_and_keeps_both_rows(loop: Loop, page: Browser) -> None:
    first = asked(page.get(address(loop)).text)
    second = asked(answer(loop, page, first, "spurious"))
    assert second != first
    assert asked(undo(loop, page)) == first
    answer(loop, page, first, "relevant")
    assert [review.answer for review in reviews()] == [Answer.SPURIOUS, Answer.WITHDRAWN, Answer.RELEVANT]
    with reading() as session:
        (standing,) = [each for each in standings(session, loop.critique.id) if each.reviewed]
    assert standing.value is VerdictValue.RELEVANT


def test_a_blind_answer_stays_once_the_verdicts_were_shown(loop: Loop, page: Browser) -> None:
    read_blind(loop, page)
    undo(loop, page)
    assert Answer.WITHDRAWN not in {review.answer for review in reviews()}


def test_a_double_click_gives_one_answer(loop: Loop, page: Browser) -> None:
    first = asked(page.get(address(loop)).text)
    answer(loop, page, first)
    answer(loop, page, first)
    assert len(reviews()) == 1


@pytest.mark.usefixtures("database")
def test_the_worklist_can_be_narrowed_to_a_class(loop: Loop, page: Browser) -> None:
    read_blind(loop, page)
    target = loop.project.classes[1]
    text = page.get(address(loop, f"?class_id={target.id}")).text
    for _ in range(3):
        with reading() as session:
            query = select(Image.class_id).join(Explanation, Explanation.image_id == Image.id).join(Cluster)
            assert session.scalar(query.where(Cluster.id == UUID(asked(text)))) == target.id
        text = answer(loop, page, asked(text), class_id=str(target.id))
    assert f"left in {target.name}" in text


@pytest.mark.usefixtures("database")
def test_agreement_is_counted_on_blind_answers_where_both_said_something(loop: Loop, page: Browser) -> None:
    text = read_blind(loop, page)
    answer(loop, page, asked(text), "spurious")  # not blind: it does not count
    with reading() as session:
        blind = [review.cluster_id for review in reviews() if review.blind]
        values = session.scalars(select(Verdict.value).where(Verdict.cluster_id.in_(blind))).all()
        found = worklist(session, loop.project, loop.critique, loop.clinician).counts.agreement
    sure = [value for value in values if value is not VerdictValue.UNCERTAIN]
    assert found.n == len(sure)
    assert found.value == pytest.approx(sum(value is VerdictValue.SPURIOUS for value in sure) / len(sure))


def test_an_answer_outlasts_the_critique_it_was_given_under(loop: Loop, page: Browser) -> None:
    read_blind(loop, page)
    with transaction() as session:
        version = add_specification(session, loop.project, loop.clinician, "letters and initials")
        critique = add_critique(session, loop.project, loop.analysis, version, loop.explanations)
    with reading() as session:
        found = worklist(session, loop.project, critique, loop.clinician)
    assert not found.blind
    assert found.counts.answered == SAMPLE


def test_when_all_is_read_the_page_leads_on(loop: Loop, page: Browser) -> None:
    text = read_blind(loop, page)
    while "cluster_id" in text:
        text = answer(loop, page, asked(text), "relevant")
    assert "Every region is read" in text
    assert f"/projects/{loop.project.id}/realign" in text
    with reading() as session:
        assert session.scalar(unanswered(loop.critique, None)) is None


def test_words_of_the_critic_are_escaped(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        for verdict in session.scalars(select(Verdict)):
            verdict.text = "<img src=x onerror=alert(1)>"
    text = read_blind(loop, page)
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_words_stay_those_of_the_lvlm_that_wrote_them(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).lvlm = "transformers:/models/another"
    text = read_blind(loop, page)
    assert "demo model" in text
    assert "another" not in text


def test_without_an_lvlm_no_verdict_is_shown(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        session.get_one(Run, loop.critique.id).result = {"lvlm": "none"}
    text = read_blind(loop, page)
    assert "your word is the verdict" in text
    assert 'class="badge uncertain"' not in text


def test_without_javascript_an_answer_leads_back_to_the_review(loop: Loop, page: Browser) -> None:
    first = asked(page.get(address(loop)).text)
    given = page.change(
        address(loop, f"/{loop.critique.id}/answers"), data={"cluster_id": first, "answer": "spurious", "class_id": ""}
    )
    assert (given.status_code, given.headers["location"]) == (303, address(loop))


def test_a_project_that_is_not_explained_leads_to_the_explanation(
    stored: None, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        user = add_user(session)
        project = add_project(session)
    text = signed_in(user).get(f"/projects/{project.id}/review").text
    assert "Explain the model" in text


def test_a_new_version_without_a_critique_asks_for_the_critic(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        add_specification(session, loop.project, loop.clinician, "other words")
    assert "Ask the critic" in page.get(address(loop)).text


@pytest.mark.parametrize("blind", [True, False])
def test_the_page_takes_at_most_twelve_statements(loop: Loop, page: Browser, blind: bool) -> None:
    if not blind:
        read_blind(loop, page)
    with counted() as statements:
        text = page.get(address(loop)).text
    assert len(statements) <= 12, "\n".join(statements)
    with counted() as statements:
        answer(loop, page, asked(text))
    # A change costs three more: where it belongs, the log's last entry, and the new one.
    assert len(statements) <= 12 + 3, "\n".join(statements)


def test_the_viewers_switches_are_off_before_its_script_has_run(loop: Loop, page: Browser) -> None:
    text = page.get(address(loop)).text
    assert re.findall(r'data-does="(\w+)"[^>]* aria-pressed="false"', text) == ["hide", "invert"]
    assert 'data-does="larger"' in text
    assert re.findall(r"<button[^>]*&#34;[^>]*>", text) == []
