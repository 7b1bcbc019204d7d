from collections.abc import Hashable
from uuid import uuid4

import pytest
from sqlalchemy import literal, select

from app import finished
from app.db import reading
from app.finished import Numbers, counted_once
from app.models import Run, State
from worker.benchmarks.own_database import counted


def run(state: State) -> Run:
    return Run(id=uuid4(), state=state)


def count(of: Run, what: Hashable, whole: int, changing: int) -> tuple[Numbers, Numbers]:
    with reading() as session, counted() as statements:
        row = select(literal(whole), literal(-whole))
        found = counted_once(session, of, what, row, select(literal(changing)))
    assert len(statements) == 1
    return found


@pytest.mark.usefixtures("database")
def test_what_a_finished_run_wrote_is_counted_once_and_what_changes_each_time() -> None:
    done, other = run(State.SUCCEEDED), run(State.SUCCEEDED)
    assert count(done, "cases", 1, 10) == ((1, -1), (10,))
    assert count(done, "cases", 2, 20) == ((1, -1), (20,))
    assert count(done, "regions", 3, 30) == ((3, -3), (30,))
    assert count(other, "cases", 4, 40) == ((4, -4), (40,))


@pytest.mark.usefixtures("database")
def test_what_is_known_alone_is_not_asked_for_again() -> None:
    done, row = run(State.SUCCEEDED), select(literal(1))
    with reading() as session, counted() as statements:
        assert [counted_once(session, done, "cases", row) for _ in range(3)] == [((1,), ())] * 3
    assert len(statements) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("state", sorted(set(State) - {State.SUCCEEDED}))
def test_what_a_run_still_writes_is_counted_again(state: State) -> None:
    writing = run(state)
    assert [count(writing, "cases", number, 0)[0][0] for number in (1, 2)] == [1, 2]


@pytest.mark.usefixtures("database")
def test_no_more_is_kept_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished, "MOST", 2)
    monkeypatch.setattr(finished, "_kept", {})
    for number in range(5):
        assert count(run(State.SUCCEEDED), "cases", number, 0)[0][0] == number
    assert len(finished._kept) <= 2
