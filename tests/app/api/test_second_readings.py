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
