"""What the API tells of answers while a clinician is still to read a second time, and of notes and adjudication."""

from collections.abc import Callable
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from app.db import transaction
from app.models import Answer, Cluster, Project, Role
from app.review.disagreements import settle_case
from tests import factories
from tests.factories import Loop, whole_loop
from tests.trusted import say


@pytest.fixture
def loop(stored: None) -> Loop:
    with transaction() as session:
        made = whole_loop(session)
        session.get_one(Project, made.project.id).second_readings = 100
        return made


def unread(loop: Loop) -> Cluster:
    """The last id is never among those that everybody reads blind."""
    return max((cluster for each in loop.explanations for cluster in each.clusters), key=lambda each: each.id)


@pytest.mark.usefixtures("database")
def test_a_second_reader_is_told_nothing_of_a_case_until_they_have_answered_it(
    loop: Loop, call_as: Callable[..., TestClient]
) -> None:
    cluster = unread(loop)
    with transaction() as session:
        second = factories.add_user(session, "bo")
        for each in (loop.clinician, second):
            factories.read_blind(session, loop.critique, each)
        say(session, loop.critique, loop.clinician, cluster.id, Answer.CANT_TELL, blind=False)
    address = f"runs/{loop.critique.id}"

    def told(program: TestClient) -> tuple[bool, bool]:
        reviews = program.get(f"{address}/reviews").json()
        verdicts = {UUID(each["cluster_id"]): each for each in program.get(f"{address}/verdicts").json()}
        return str(cluster.id) in {each["cluster_id"] for each in reviews}, verdicts[cluster.id]["reviewed"]

    program = call_as(second)
    assert told(program) == (False, False)
    assert told(call_as(loop.clinician)) == (True, True)
    assert told(call_as(Role.ENGINEER)) == (True, True)
    sent = {"cluster_id": str(cluster.id), "answer": "relevant", "note": "a vessel"}
    given = program.post(f"{address}/reviews", json=sent).json()
    assert (given["note"], given["settles"], given["blind"]) == ("a vessel", False, False)
    assert told(program) == (True, True)
    assert program.post(f"{address}/reviews", json=sent | {"note": "a" * 501}).status_code == 422


def test_a_settlement_is_told_with_its_note(loop: Loop, call_as: Callable[..., TestClient]) -> None:
    cluster = unread(loop)
    with transaction() as session:
        second, third = (factories.add_user(session, name) for name in ("bo", "cy"))
        say(session, loop.critique, loop.clinician, cluster.id, Answer.SPURIOUS, blind=False)
        say(session, loop.critique, second, cluster.id, Answer.RELEVANT, blind=False)
        settle_case(session, loop.critique, third, cluster.id, Answer.SPURIOUS, "a letter")
    *_, last = call_as(Role.ENGINEER).get(f"runs/{loop.critique.id}/reviews").json()
    assert (last["settles"], last["note"], last["answer"]) == (True, "a letter", "spurious")


def test_an_adjudicator_is_told_what_was_said_and_settles_it_and_takes_it_back(
    loop: Loop, call_as: Callable[..., TestClient]
) -> None:
    cluster = unread(loop)
    address = f"runs/{loop.critique.id}/disagreements"
    with transaction() as session:
        second, third = (factories.add_user(session, name) for name in ("bo", "cy"))
        for each in (loop.clinician, second, third):
            factories.read_blind(session, loop.critique, each)
        say(session, loop.critique, loop.clinician, cluster.id, Answer.SPURIOUS, blind=False)
        say(session, loop.critique, second, cluster.id, Answer.RELEVANT, blind=False)
    program, reader = call_as(third), call_as(second)
    mine = {"cluster_id": str(cluster.id), "number": cluster.number, "yours": True}
    (found,) = [each for each in program.get(address).json() if each["cluster_id"] == str(cluster.id)]
    assert found | mine == found
    assert [each["answer"] for each in found["readings"]] == ["spurious", "relevant"]
    assert loop.clinician.name not in str(found)
    assert str(loop.clinician.id) not in str(found)
    word = {"answer": "relevant", "note": "a vessel"}
    one = f"{address}/{cluster.id}"
    assert [each["yours"] for each in reader.get(address).json() if each["cluster_id"] == str(cluster.id)] == [False]
    assert reader.post(one, json=word).status_code == 403
    assert call_as(Role.ENGINEER).post(one, json=word).status_code == 403
    assert program.post(one, json=word | {"answer": "withdrawn"}).status_code == 422
    assert program.post(f"{address}/undo").status_code == 409
    settled = program.post(one, json=word)
    assert (settled.status_code, settled.json()["settles"], settled.json()["note"]) == (201, True, "a vessel")
    assert str(cluster.id) not in program.get(address).text
    assert reader.post(one, json=word).status_code == 409
    assert program.post(f"{address}/undo").json()["answer"] == "withdrawn"
    assert str(cluster.id) in program.get(address).text


def test_what_others_said_stays_closed_during_the_blind_reading(loop: Loop, call_as: Callable[..., TestClient]) -> None:
    program = call_as(loop.clinician)
    address = f"runs/{loop.critique.id}/disagreements"
    for refused in (
        program.get(address),
        program.post(f"{address}/undo"),
        program.post(f"{address}/{unread(loop).id}", json={"answer": "relevant"}),
    ):
        assert (refused.status_code, "blind reading" in refused.json()["detail"]) == (409, True)


def test_the_share_of_second_readings_is_set_by_who_owns_the_project(
    loop: Loop, call_as: Callable[..., TestClient]
) -> None:
    address = f"projects/{loop.project.id}/second-readings"
    admin, clinician = call_as(Role.ADMIN), call_as(loop.clinician)
    assert admin.put(address, json={"percent": 25}).json() == {"percent": 25}
    assert clinician.put(address, json={"percent": 50}).status_code == 403
    assert [admin.put(address, json={"percent": each}).status_code for each in (-1, 101)] == [422, 422]
    assert clinician.get(address).json() == {"percent": 25}
