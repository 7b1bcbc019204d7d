"""Second readings that see no first answer, and the adjudication of what readers see differently."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Answer, AuditEntry, Project, Review, Role, Run, Source, User, VerdictValue
from app.review.second import EVERY, is_chosen
from app.review.standing import Said, settle, standings
from app.review.worklist import worklist
from tests import factories
from tests.app.conftest import Browser
from tests.app.review.test_page import address, answer, asked, undo
from tests.app.review.test_similar import add_consensus, otherwise
from tests.factories import Loop
from tests.trusted import say
from worker.benchmarks.own_database import counted

A, B, C, D = (UUID(int=number) for number in range(1, 5))


@pytest.fixture
def second(loop: Loop) -> User:
    """Another clinician; both have done their blind reading, and every answered case is read twice."""
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 100
        reader = factories.add_user(session, "bo", display_name="Dr. Bo Second")
        for each in (loop.clinician, reader):
            factories.read_blind(session, loop.critique, each)
    return reader


@pytest.fixture
def pages(loop: Loop, second: User, signed_in: Callable[[User], Browser]) -> list[Browser]:
    return [signed_in(loop.clinician), signed_in(second)]


def open_cases(loop: Loop) -> list[UUID]:
    with reading() as session:
        answered = set(session.scalars(select(Review.cluster_id)))
    return [cluster.id for each in loop.explanations for cluster in each.clusters if cluster.id not in answered]


def differ(loop: Loop, second: User, *, note: str = "") -> UUID:
    """A case that the clinician calls spurious and the second reader relevant."""
    cluster = open_cases(loop)[0]
    with transaction() as session:
        say(session, loop.critique, loop.clinician, cluster, Answer.SPURIOUS, blind=False)
        say(session, loop.critique, second, cluster, Answer.RELEVANT, blind=False)
        for review in session.scalars(select(Review).where(Review.cluster_id == cluster)):
            review.note = note
    return cluster


def adjudicator(loop: Loop, role: Role = Role.CLINICIAN) -> User:
    with transaction() as session:
        made = factories.add_user(session, f"third-{role.value}", role)
        factories.read_blind(session, loop.critique, made)
    return made


def differing(loop: Loop, rest: str = "") -> str:
    return address(loop, f"/{loop.critique.id}/disagreements{rest}")


def value_of(loop: Loop, cluster: UUID) -> tuple[VerdictValue, Source]:
    with reading() as session:
        found = next(each for each in standings(session, loop.critique.id) if each.cluster_id == cluster)
    return found.value, found.source


def seconds_left(loop: Loop, user: User) -> int:
    with reading() as session:
        project = session.get_one(Project, loop.project.id)
        return worklist(session, project, loop.critique, user).counts.second


@pytest.mark.usefixtures("database")
def test_a_second_reader_gets_the_answered_case_and_not_the_answer(
    loop: Loop, second: User, pages: list[Browser]
) -> None:
    first = asked(pages[0].get(address(loop)).text)
    answer(loop, pages[0], first, "can't tell", note="first-readers-note")
    text = pages[1].get(address(loop)).text
    assert asked(text) == first
    assert "Second reading" in text
    assert "1 to read a second time" in text
    case = text.split('<div id="case"')[1].split("<dialog")[0]
    for secret in ("first-readers-note", "can&#39;t tell</span>", "Ada", str(loop.clinician.id)):
        assert secret not in case
    after = answer(loop, pages[1], first, "relevant")
    assert asked(after) != first
    assert seconds_left(loop, second) == 0
    assert seconds_left(loop, loop.clinician) == 0  # nobody reads a third time, nor their own case


def test_similar_regions_do_not_tell_a_second_reader_what_is_still_theirs_to_read(
    loop: Loop, second: User, pages: list[Browser]
) -> None:
    shown, told = open_cases(loop)[:2]
    rows = otherwise(shown)
    add_consensus(loop, **rows, place={shown: 1}, nearest={shown: [str(told)]})
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 0
        say(session, loop.critique, loop.clinician, told, Answer.CANT_TELL, blind=False)
    text = pages[1].get(address(loop)).text
    assert UUID(asked(text)) == shown
    assert "a person" in text.split('class="similar"')[1].split("</ol>")[0]
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 100
    text = pages[1].get(address(loop)).text
    assert UUID(asked(text)) == shown  # it is theirs still
    assert "a person" not in text.split('class="similar"')[1].split("</ol>")[0]


def test_the_share_of_second_readings_is_that_of_all_cases_and_keeps_those_it_had(loop: Loop, second: User) -> None:
    with reading() as session:
        chosen = {
            percent: set(session.scalars(select(Review.cluster_id).where(is_chosen(Review.cluster_id, percent))))
            for percent in (0, 30, 100)
        }
        everything = set(session.scalars(select(Review.cluster_id)))
    assert chosen[0] == set()
    assert chosen[30] <= chosen[100] == everything
    assert all(each.int >= EVERY * 7 // 10 - 1 for each in chosen[30])


def test_without_second_readings_nobody_is_asked_twice(loop: Loop, second: User, pages: list[Browser]) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 0
    first = asked(pages[0].get(address(loop)).text)
    answer(loop, pages[0], first)
    text = pages[1].get(address(loop)).text
    assert asked(text) != first
    assert "second" not in text.split('<div id="case"')[1].split("<dialog")[0]


def test_undo_and_the_remaining_count_stay_true_with_second_readings(
    loop: Loop, second: User, pages: list[Browser]
) -> None:
    left = len(open_cases(loop))
    first = asked(pages[0].get(address(loop)).text)
    text = answer(loop, pages[0], first, "can't tell")
    assert f"{left - 1} of" in text
    text = pages[1].get(address(loop)).text
    assert f"{left - 1} of" in text
    text = answer(loop, pages[1], first, "relevant")
    assert f"{left - 1} of" in text
    text = undo(loop, pages[1])
    assert asked(text) == first
    assert "1 to read a second time" in text
    undo(loop, pages[0])  # nobody has answered it now: it is no second reading any more
    assert seconds_left(loop, second) == 0
    assert f"{left} of" in pages[0].get(address(loop)).text


def test_only_owners_set_what_is_read_twice_and_the_log_tells_it(
    loop: Loop, second: User, pages: list[Browser], signed_in: Callable[[User], Browser]
) -> None:
    sent = {"percent": "25", "critique_id": str(loop.critique.id)}
    assert pages[0].change(address(loop, "/second"), data=sent).status_code == 403
    administrator = signed_in(adjudicator(loop, Role.ADMIN))
    assert administrator.change(address(loop, "/second"), data=sent | {"percent": "101"}).status_code == 422
    assert administrator.change(address(loop, "/second"), data=sent).status_code == 303
    assert "25 in 100 answered regions" in administrator.get(differing(loop)).text
    with reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.thing == "project")).all()[-1]
    assert (entry.before, entry.after) == ({"second_readings": 100}, {"second_readings": 25})


@pytest.mark.parametrize(
    ("answers", "settlements", "counts"),
    [
        ({}, {}, None),
        ({A: Answer.SPURIOUS}, {}, VerdictValue.SPURIOUS),
        ({A: Answer.SPURIOUS, B: Answer.SPURIOUS}, {}, VerdictValue.SPURIOUS),
        ({A: Answer.SPURIOUS, B: Answer.RELEVANT}, {}, VerdictValue.UNCERTAIN),
        ({A: Answer.SPURIOUS, B: Answer.RELEVANT, C: Answer.RELEVANT}, {}, VerdictValue.UNCERTAIN),
        ({A: Answer.SPURIOUS, B: Answer.WITHDRAWN}, {}, VerdictValue.SPURIOUS),
        ({A: Answer.SPURIOUS, B: Answer.RELEVANT}, {C: Answer.RELEVANT}, VerdictValue.RELEVANT),
        ({A: Answer.SPURIOUS, B: Answer.RELEVANT}, {C: Answer.WITHDRAWN}, VerdictValue.UNCERTAIN),
        ({A: Answer.SPURIOUS, B: Answer.RELEVANT}, {C: Answer.RELEVANT, D: Answer.SPURIOUS}, VerdictValue.SPURIOUS),
        ({A: Answer.SPURIOUS, B: Answer.RELEVANT}, {C: Answer.RELEVANT, D: Answer.WITHDRAWN}, VerdictValue.RELEVANT),
        ({A: Answer.SPURIOUS, B: Answer.RELEVANT}, {C: Answer.CANT_TELL}, VerdictValue.UNCERTAIN),
    ],
)
def test_an_adjudicators_word_counts_then_what_all_readers_agree_on(
    answers: dict[UUID, Answer], settlements: dict[UUID, Answer], counts: VerdictValue | None
) -> None:
    assert settle(Said(answers, settlements)) is counts


@pytest.mark.usefixtures("database")
def test_an_adjudicator_settles_a_case_and_their_word_stands_until_it_is_taken_back(
    loop: Loop, second: User, signed_in: Callable[[User], Browser]
) -> None:
    cluster = differ(loop, second, note="it <b>shines</b>")
    assert value_of(loop, cluster) == (VerdictValue.UNCERTAIN, Source.REVIEW)
    page = signed_in(adjudicator(loop))
    assert "Readers differ on 1 case." in page.get(address(loop)).text
    assert "Readers differ on 1 case<" in page.get(differing(loop)).text
    text = page.get(differing(loop, f"/{cluster}")).text
    case = text.split("<main")[1].split("</main>")[0]
    assert case.count("it &lt;b&gt;shines&lt;/b&gt;") == 2
    assert "Reader 1" in case
    assert "Reader 2" in case
    for name in (loop.clinician.display_name, second.display_name, "The critic sees", ".9"):
        assert name not in case
    sent = {"answer": "relevant", "note": "a vessel"}
    for _ in range(2):  # the second time it is the same answer
        settled = page.change(differing(loop, f"/{cluster}"), data=sent)
        assert (settled.status_code, settled.headers["location"]) == (303, differing(loop))
    assert value_of(loop, cluster) == (VerdictValue.RELEVANT, Source.REVIEW)
    assert "No readers differ" in page.get(differing(loop)).text
    with reading() as session:
        rows = session.scalars(select(Review).where(Review.cluster_id == cluster, Review.settles.is_(True))).all()
    assert [(row.answer, row.note, row.blind) for row in rows] == [(Answer.RELEVANT, "a vessel", False)]
    taken_back = page.change(differing(loop, "/undo"))
    assert taken_back.headers["location"] == differing(loop, f"/{cluster}")
    assert value_of(loop, cluster) == (VerdictValue.UNCERTAIN, Source.REVIEW)
    assert "Readers differ on 1 case<" in page.get(differing(loop)).text


def test_neither_of_the_readers_settles_it_nor_an_engineer_and_it_says_who_can(
    loop: Loop, second: User, pages: list[Browser], signed_in: Callable[[User], Browser]
) -> None:
    cluster = differ(loop, second)
    text = pages[1].get(differing(loop, f"/{cluster}")).text
    assert "Nobody else here can." in text
    assert 'name="answer"' not in text
    administrator = adjudicator(loop, Role.ADMIN)
    assert "1 other person here can." in pages[1].get(differing(loop, f"/{cluster}")).text
    for page in (*pages, signed_in(loop.engineer)):
        refused = page.change(differing(loop, f"/{cluster}"), data={"answer": "relevant"})
        assert refused.status_code == 403
    assert value_of(loop, cluster)[0] is VerdictValue.UNCERTAIN
    settled = signed_in(administrator).change(differing(loop, f"/{cluster}"), data={"answer": "spurious"})
    assert settled.status_code == 303
    assert value_of(loop, cluster)[0] is VerdictValue.SPURIOUS


def test_what_is_settled_or_agreed_on_by_now_is_not_settled_again(
    loop: Loop, second: User, signed_in: Callable[[User], Browser]
) -> None:
    cluster = differ(loop, second)
    with transaction() as session:
        say(session, loop.critique, second, cluster, Answer.SPURIOUS, blind=False)
    page = signed_in(adjudicator(loop))
    assert page.get(differing(loop, f"/{cluster}")).status_code == 404
    assert page.change(differing(loop, f"/{cluster}"), data={"answer": "relevant"}).status_code == 409
    assert page.change(differing(loop, f"/{cluster}"), data={"answer": "withdrawn"}).status_code == 422
    assert page.change(differing(loop, "/undo")).headers["location"] == differing(loop)


def test_an_adjudicators_word_is_no_reading(loop: Loop, second: User, signed_in: Callable[[User], Browser]) -> None:
    cluster, third = differ(loop, second), adjudicator(loop)
    page = signed_in(third)
    with reading() as session:
        before = worklist(session, loop.project, loop.critique, third)
    page.change(differing(loop, f"/{cluster}"), data={"answer": "relevant"})
    with reading() as session:
        after = worklist(session, loop.project, loop.critique, third)
    assert (after.counts.answered, after.counts.left) == (before.counts.answered, before.counts.left)
    assert (before.counts.differ, after.counts.differ) == (1, 0)
    undo(loop, page)  # of a review: the settlement is not touched
    assert value_of(loop, cluster)[0] is VerdictValue.RELEVANT


def test_who_is_still_to_read_blind_is_not_shown_where_readers_differ(
    loop: Loop, second: User, signed_in: Callable[[User], Browser]
) -> None:
    cluster = differ(loop, second)
    with transaction() as session:
        fresh = factories.add_user(session, "fresh")
    page = signed_in(fresh)
    text = page.get(differing(loop)).text
    assert "First comes your own reading" in text
    assert "Reader 1" not in text
    assert page.get(differing(loop, f"/{cluster}")).status_code == 409
    assert page.change(differing(loop, f"/{cluster}"), data={"answer": "relevant"}).status_code == 409
    assert "Readers differ" not in page.get(address(loop)).text


def test_readers_who_differ_blind_are_listed_too(
    loop: Loop, second: User, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        cluster = session.scalars(select(Review.cluster_id).where(Review.user_id == second.id)).first()
        assert cluster is not None
        say(session, loop.critique, second, cluster, Answer.CANT_TELL)
    text = signed_in(adjudicator(loop, Role.ADMIN)).get(differing(loop, f"/{cluster}")).text
    assert "You can’t settle this one" in text  # who has read the case is one of its readers
    with transaction() as session:
        other = factories.add_user(session, "other-admin", Role.ADMIN)
    page = signed_in(other)
    assert "read blind" in page.get(differing(loop, f"/{cluster}")).text
    page.change(differing(loop, f"/{cluster}"), data={"answer": "spurious"})
    assert value_of(loop, cluster)[0] is VerdictValue.SPURIOUS


@pytest.mark.parametrize("rest", ["", "case"])
def test_the_pages_take_at_most_twelve_statements(
    loop: Loop, second: User, signed_in: Callable[[User], Browser], rest: str
) -> None:
    cluster = differ(loop, second)
    page = signed_in(adjudicator(loop))
    with counted() as statements:
        assert page.get(differing(loop, f"/{cluster}" if rest else "")).status_code == 200
    assert len(statements) <= 12, "\n".join(statements)


def test_a_critique_of_another_project_shows_no_disagreements_here(
    loop: Loop, second: User, pages: list[Browser]
) -> None:
    with transaction() as session:
        other = factories.add_project(session, "Other")
    critique = loop.critique
    assert isinstance(critique, Run)
    assert pages[0].get(f"/projects/{other.id}/review/{critique.id}/disagreements").status_code == 404
