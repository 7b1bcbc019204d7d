"""Several readers at one review: nobody is given another's case, everybody finds their own again, nothing is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.db import engine, now, reading, transaction
from app.models import Answer, AuditEntry, CaseLock, Project, Review, Role, Run, User
from app.review.actions import record_answer
from app.review.locks import FRESH, LIFE
from app.review.order import ALL
from app.review.worklist import shown_case, take_next, worklist
from tests import factories
from tests.app.conftest import Browser
from tests.app.review.test_page import address, answer, asked, undo
from tests.app.review.test_similar import add_consensus
from tests.factories import Loop
from tests.trusted import say

ENDED = timedelta(minutes=1)


@pytest.fixture
def readers(loop: Loop) -> list[User]:
    """Three who have done their blind reading. No case is read twice, so that what is left is what nobody answered."""
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 0
        made = [loop.clinician, *(factories.add_user(session, name) for name in ("bo", "cy"))]
        for reader in made:
            factories.read_blind(session, loop.critique, reader)
    return made


@pytest.fixture
def pages(readers: list[User], signed_in: Callable[[User], Browser]) -> list[Browser]:
    return [signed_in(reader) for reader in readers]


def shown(loop: Loop, page: Browser) -> UUID:
    return UUID(asked(page.get(address(loop)).text))


def run_out(user: User) -> None:
    with transaction() as session:
        session.execute(update(CaseLock).where(CaseLock.user_id == user.id).values(until=now() - ENDED))


def lock_of(user: User) -> CaseLock:
    with reading() as session:
        return session.scalars(select(CaseLock).where(CaseLock.user_id == user.id)).one()


@pytest.mark.usefixtures("database")
def test_no_two_readers_are_shown_the_same_case_and_each_keeps_theirs(loop: Loop, pages: list[Browser]) -> None:
    first = [shown(loop, page) for page in pages]
    assert len(set(first)) == 3
    assert [shown(loop, page) for page in pages] == first
    second = UUID(asked(answer(loop, pages[0], str(first[0]))))
    assert second not in first
    assert [shown(loop, page) for page in pages] == [second, *first[1:]]


@pytest.mark.usefixtures("database")
def test_two_who_ask_at_once_get_two_cases(loop: Loop, readers: list[User]) -> None:
    """With transactions that overlap as far as the database lets them."""
    barrier = Barrier(len(readers))

    def ask(reader: User) -> list[UUID]:
        taken = []
        for _ in range(6):
            barrier.wait(timeout=60)
            with transaction() as session:
                project, critique = session.get_one(Project, loop.project.id), session.get_one(Run, loop.critique.id)
                work = worklist(session, project, critique, reader)
                found = take_next(session, project, critique, reader, work, ALL)
                assert found is not None
                record_answer(session, critique, reader, found, Answer.RELEVANT)
            taken.append(found)
        return taken

    with ThreadPoolExecutor(len(readers)) as pool:
        taken = [each for mine in pool.map(ask, readers) for each in mine]
    assert len(set(taken)) == len(taken) == 18


def test_a_reader_comes_back_to_the_case_on_another_device_and_after_days(
    loop: Loop, readers: list[User], pages: list[Browser], signed_in: Callable[[User], Browser]
) -> None:
    mine = shown(loop, pages[0])
    run_out(readers[0])
    with transaction() as session:  # what comes first has changed meanwhile
        session.execute(update(CaseLock).values(until=now() - timedelta(days=2)))
    add_consensus(loop, place={cluster.id: 1 for each in loop.explanations for cluster in each.clusters[:1]})
    assert shown(loop, signed_in(readers[0])) == mine
    assert lock_of(readers[0]).until > now() + FRESH


def test_a_lock_that_has_run_out_is_another_readers_and_its_owner_gets_another_case(
    loop: Loop, readers: list[User], pages: list[Browser]
) -> None:
    lost = shown(loop, pages[0])
    run_out(readers[0])
    assert shown(loop, pages[1]) == lost
    assert shown(loop, pages[0]) != lost


@pytest.mark.usefixtures("database")
def test_an_answer_after_the_lock_was_lost_is_kept_and_so_is_the_others_case(
    loop: Loop, readers: list[User], pages: list[Browser]
) -> None:
    lost = shown(loop, pages[0])
    run_out(readers[0])
    assert shown(loop, pages[1]) == lost
    text = answer(loop, pages[0], str(lost), "relevant", note="late")
    assert UUID(asked(text)) != lost
    assert shown(loop, pages[1]) == lost
    answer(loop, pages[1], str(lost), "relevant")
    with reading() as session:
        given = session.scalars(select(Review).where(Review.cluster_id == lost)).all()
    assert {(each.user_id, each.answer) for each in given} == {(reader.id, Answer.RELEVANT) for reader in readers[:2]}


def test_a_readers_work_renews_the_lock_and_nobody_elses(loop: Loop, readers: list[User], pages: list[Browser]) -> None:
    lost = shown(loop, pages[0])
    nearly = now() + timedelta(seconds=20)
    with transaction() as session:
        session.execute(update(CaseLock).values(until=nearly))
    at_work = address(loop, f"/{loop.critique.id}/at-work")
    assert pages[1].change(at_work).status_code == 204
    assert lock_of(readers[0]).until == nearly
    assert pages[0].change(at_work).status_code == 204
    assert lock_of(readers[0]).until > now() + LIFE - ENDED
    run_out(readers[0])
    assert shown(loop, pages[1]) == lost
    pages[0].change(at_work)
    assert lock_of(readers[0]).until < now()


def test_looking_again_at_a_fresh_case_writes_nothing(loop: Loop, readers: list[User], pages: list[Browser]) -> None:
    shown(loop, pages[0])
    before = lock_of(readers[0]).until
    if engine().dialect.name == "sqlite":
        with transaction():  # the one writer that SQLite has: a page that wrote would wait for it
            shown(loop, pages[0])
    assert lock_of(readers[0]).until == before


def test_what_is_left_before_others_is_not_called_read(loop: Loop, readers: list[User], pages: list[Browser]) -> None:
    with reading() as session:
        work = worklist(session, loop.project, loop.critique, readers[0])
    for _ in range(work.counts.left - 1):
        text = answer(loop, pages[0], str(shown(loop, pages[0])))
    last = UUID(asked(text))
    text = pages[1].get(address(loop)).text
    assert "Others are reading what is left" in text
    assert "Every region is read" not in text
    text = answer(loop, pages[0], str(last))
    assert "Every region is read" in text
    assert "Every region is read" in pages[1].get(address(loop)).text


def test_an_answer_that_is_taken_back_is_its_readers_case_again(loop: Loop, pages: list[Browser]) -> None:
    first = shown(loop, pages[0])
    answer(loop, pages[0], str(first))
    assert UUID(asked(undo(loop, pages[0]))) == first
    assert shown(loop, pages[0]) == first
    assert shown(loop, pages[1]) != first


@pytest.mark.usefixtures("database")
def test_a_narrowed_reader_gets_a_case_of_that_class_and_loses_the_one_before(loop: Loop, pages: list[Browser]) -> None:
    for other in pages[1:]:
        shown(loop, other)
    classes = {each.id: {cluster.id for cluster in each.clusters} for each in loop.explanations}
    for target in loop.project.classes:
        mine = {
            cluster for each in loop.explanations if each.image.class_id == target.id for cluster in classes[each.id]
        }
        found = UUID(asked(pages[0].get(address(loop, f"?class_id={target.id}")).text))
        assert found in mine
        assert UUID(asked(pages[0].get(address(loop, f"?class_id={target.id}")).text)) == found


def test_the_blind_sample_is_meant_for_all_and_locks_nothing(loop: Loop, signed_in: Callable[[User], Browser]) -> None:
    pages = [signed_in(loop.clinician), signed_in(loop.engineer)]
    assert shown(loop, pages[0]) == shown(loop, pages[1])
    with reading() as session:
        assert session.scalars(select(CaseLock)).all() == []


def test_a_lock_is_no_change_of_the_record(loop: Loop, pages: list[Browser]) -> None:
    with reading() as session:
        before = session.scalars(select(AuditEntry.number)).all()
    shown(loop, pages[0])
    pages[0].change(address(loop, f"/{loop.critique.id}/at-work"))
    with reading() as session:
        assert session.scalars(select(AuditEntry.number)).all() == before


@pytest.mark.usefixtures("database")
def test_the_order_of_a_consensus_is_followed_and_locks_and_answers_are_left_out(
    loop: Loop, readers: list[User], pages: list[Browser]
) -> None:
    with reading() as session:
        answered = set(session.scalars(select(Review.cluster_id)))
    left = [cluster.id for each in loop.explanations for cluster in each.clusters if cluster.id not in answered]
    add_consensus(loop, place={cluster: place for place, cluster in enumerate(left, 1)})
    assert [shown(loop, page) for page in pages] == left[:3]
    with transaction() as session:
        say(session, loop.critique, readers[1], left[3], Answer.CANT_TELL, blind=False)
    assert UUID(asked(answer(loop, pages[0], str(left[0])))) == left[4]


def test_a_session_that_may_write_takes_the_case_itself(loop: Loop, readers: list[User]) -> None:
    with transaction() as session:
        work = worklist(session, loop.project, loop.critique, readers[0])
        found = shown_case(session, loop.project, loop.critique, readers[0], work, ALL)
    assert lock_of(readers[0]).cluster_id == found
    assert readers[0].role is Role.CLINICIAN
