"""A consensus starts by itself when a critique is done and when people have answered, and never twice."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.db import now, reading, transaction
from app.models import Answer, Cluster, Kind, Review, Run, State
from app.review.renewal import FEW_ANSWERS, QUIET, is_due, renew_consensus
from tests.factories import Loop

SECOND = timedelta(seconds=1)


def answer(loop: Loop, count: int, answer: Answer = Answer.SPURIOUS) -> None:
    with transaction() as session:
        for cluster_id in session.scalars(select(Cluster.id).limit(count)).all():
            said = {"cluster_id": cluster_id, "user_id": loop.clinician.id, "run_id": loop.critique.id}
            session.add(Review(answer=answer, blind=False, **said))


def renew() -> None:
    with transaction() as session:
        renew_consensus(session)


def started() -> Sequence[Run]:
    with reading() as session:
        return session.scalars(select(Run).where(Run.kind == Kind.CONSENSUS).order_by(Run.created_at)).all()


def end(state: State) -> None:
    with transaction() as session:
        session.execute(update(Run).where(Run.kind == Kind.CONSENSUS).values(state=state))


def answered_long_ago() -> None:
    with transaction() as session:
        session.execute(update(Review).values(created_at=now() - QUIET - SECOND))


@pytest.mark.usefixtures("database")
def test_a_few_answers_start_one_consensus_however_often_it_is_looked(loop: Loop) -> None:
    renew()
    answer(loop, FEW_ANSWERS - 1)
    renew()
    assert started() == []
    answer(loop, 1, Answer.WITHDRAWN)
    for _ in range(3):
        renew()
    (run,) = started()
    assert (run.project_id, run.state) == (loop.project.id, State.QUEUED)
    assert run.parameters == {"critique_id": str(loop.critique.id), "answers": FEW_ANSWERS, "seed": 0}


def test_no_second_one_starts_while_one_is_under_way_and_what_came_meanwhile_is_read_after_it(loop: Loop) -> None:
    answer(loop, FEW_ANSWERS)
    renew()
    answer(loop, 10)
    for state in (State.QUEUED, State.RUNNING):
        end(state)
        renew()
        assert len(started()) == 1
    end(State.SUCCEEDED)
    renew()
    assert [run.parameters["answers"] for run in started()] == [FEW_ANSWERS, FEW_ANSWERS + 10]


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
def test_answers_that_a_consensus_knew_of_start_no_other_whatever_became_of_it(loop: Loop, state: State) -> None:
    answer(loop, FEW_ANSWERS)
    renew()
    end(state)
    answered_long_ago()
    renew()
    assert len(started()) == 1


def test_whoever_stops_is_heard_to_the_end(loop: Loop) -> None:
    answer(loop, 1)
    renew()
    assert started() == []
    answered_long_ago()
    renew()
    assert [run.parameters["answers"] for run in started()] == [1]


def test_the_longer_a_review_the_rarer_it_is() -> None:
    read, runs = 0, 0
    for answers in range(400):
        if is_due(answers, read, SECOND):
            read, runs = answers, runs + 1
    assert 15 < runs < 25


def test_answers_under_a_critique_that_did_not_succeed_start_nothing(loop: Loop) -> None:
    answer(loop, 10)
    with transaction() as session:
        session.get_one(Run, loop.critique.id).state = State.CANCELLED
    renew()
    assert started() == []
