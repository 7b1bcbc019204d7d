"""Honeypots as a run: judged, kept apart, and never trained on."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from app.db import reading, transaction
from app.models import (
    Cluster,
    Critique,
    Explanation,
    Honeypot,
    Image,
    Project,
    Review,
    Run,
    State,
    Verdict,
    VerdictValue,
)
from app.review.standing import standings
from app.runs.parameters import HoneypotParameters
from app.storage import storage
from tests import factories
from tests.factories import Loop
from tests.worker.lvlm.answering import Reply, Server, completion, serving
from tests.worker.tasks import small
from worker.benchmarks.own_database import forget_settings
from worker.tasks.cases import loaded_lvlm
from worker.tasks.corrections import correction_of
from worker.tasks.material import Material, called

pytestmark = pytest.mark.usefixtures("sqlite")
SAID = "\n".join(f"{number}: a thing; named as spurious; spurious" for number in range(1, 7))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """It calls every cluster spurious."""
    monkeypatch.setenv("RIGHTREASONS_LVLM_HOSTS", "127.0.0.1")
    monkeypatch.setenv("RIGHTREASONS_LVLM_REQUESTS_PER_MINUTE", "600000")
    forget_settings()
    loaded_lvlm.cache_clear()
    with serving(Reply(body=completion(SAID, {"spurious": 0.9, "relevant": 0.1}))) as here:
        yield here
    loaded_lvlm.cache_clear()


@pytest.fixture
def loop() -> Loop:
    with transaction() as session:
        return factories.whole_loop(session, per_class=2)


def planted(loop: Loop, lvlm: str, count: int = 3) -> Run:
    with transaction() as session:
        session.get_one(Project, loop.project.id).lvlm = lvlm
    return small.ended(loop.project, HoneypotParameters(critique_id=loop.critique.id, count=count))


def pots() -> list[Honeypot]:
    with reading() as session:
        return list(session.scalars(select(Honeypot)))


def test_each_copy_is_asked_about_once_to_be_ignored_and_once_to_be_used(loop: Loop, server: Server) -> None:
    run = planted(loop, f"openai:m@{server.url}")
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    found = pots()
    assert sorted(pot.named.value for pot in found) == ["relevant"] * 3 + ["spurious"] * 3
    assert len({pot.explanation_id for pot in found}) == 3
    assert {(pot.value.value, round(pot.p_spurious, 3)) for pot in found} == {("spurious", 0.9)}
    assert {pot.text for pot in found} == {"a thing; named as spurious; spurious"}
    assert all(storage().get(pot.picture).startswith(b"\x89PNG") for pot in found)
    critics = [str(request["messages"]) for request in server.requests if "labelled" in str(request["messages"])]
    assert len(critics) == 6
    for side in ("Relevant: [^:]*", "Spurious: [^:]*"):
        assert sum(named(request, side) for request in critics) == 3


def named(prompt: str, side: str) -> bool:
    things = "the round coloured patch|the small grey square|the letter that is written"
    return re.search(f"{side}(?:{things})", prompt) is not None


def test_nothing_planted_can_reach_a_training(loop: Loop, server: Server) -> None:
    def everything() -> list[object]:
        """All that a realignment is made from, and all that a reader or a judge could add to it."""
        with reading() as session:
            spurious = called(standings(session, loop.critique.id), VerdictValue.SPURIOUS)
            correction = correction_of(session, Material(datasets=(), spurious=spurious))
            tables = [
                session.scalar(select(func.count()).select_from(table))
                for table in (Image, Explanation, Cluster, Critique, Verdict, Review)
            ]
            return [*tables, spurious, correction.assignments, standings(session, loop.critique.id)]

    before = everything()
    planted(loop, f"openai:m@{server.url}")
    assert pots()
    assert everything() == before
    with reading() as session:
        trained = set(session.scalars(select(Image.blob))) | set(session.scalars(select(Explanation.assignment)))
    assert trained.isdisjoint(pot.picture for pot in pots())


def test_the_same_is_planted_again_and_kept_beside(loop: Loop, server: Server) -> None:
    runs = [planted(loop, f"openai:m@{server.url}", count=2) for _ in range(2)]
    by_run = [sorted((pot.picture, pot.number) for pot in pots() if pot.run_id == run.id) for run in runs]
    assert by_run[0] == by_run[1]
    assert len(by_run[0]) == 4


def test_more_than_there_are_pictures_are_not_planted(loop: Loop, server: Server) -> None:
    run = planted(loop, f"openai:m@{server.url}", count=100)
    assert run.total == len({pot.explanation_id for pot in pots()}) == len(loop.explanations)


def test_without_an_lvlm_nobody_is_asked(loop: Loop) -> None:
    run = planted(loop, "none")
    assert (run.state, pots()) == (State.FAILED, [])
    assert run.error.startswith("This project has no LVLM")
