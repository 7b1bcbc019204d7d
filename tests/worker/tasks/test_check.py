"""A check as a run: asked of a server that answers, counted, and kept."""

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import func, select

from app.db import reading, transaction
from app.models import LVLMCall, LVLMCheck, Project, Run, State
from app.models.check_figures import CheckFigures
from app.runs.parameters import CheckParameters, CritiqueParameters
from app.storage import storage
from tests import factories
from tests.worker.lvlm.answering import Reply, Server, completion, serving
from tests.worker.tasks import small
from worker.benchmarks.own_database import forget_settings
from worker.tasks import check
from worker.tasks.cases import loaded_lvlm
from worker.tasks.job import RefusedError

pytestmark = pytest.mark.usefixtures("sqlite")
SAID = "\n".join(f"{number}: a thing; named as spurious; spurious" for number in range(1, 5))
ASKED = CheckParameters(domains=("digits",), cases=4)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """It neither looks nor listens: whatever it is asked, every cluster is spurious."""
    monkeypatch.setenv("RIGHTREASONS_LVLM_HOSTS", "127.0.0.1")
    monkeypatch.setenv("RIGHTREASONS_LVLM_REQUESTS_PER_MINUTE", "600000")
    forget_settings()
    loaded_lvlm.cache_clear()
    with serving(Reply(body=completion(SAID, {"spurious": 0.9, "relevant": 0.1}))) as here:
        yield here
    loaded_lvlm.cache_clear()


def project_with(lvlm: str) -> Project:
    with transaction() as session:
        return factories.add_project(session, lvlm=lvlm)


def checks() -> Sequence[LVLMCheck]:
    with reading() as session:
        return session.scalars(select(LVLMCheck).order_by(LVLMCheck.created_at)).all()


def test_what_was_found_is_kept_with_the_name_and_the_identity_of_who_answered(server: Server) -> None:
    project = project_with(f"openai:m@{server.url}")
    run = small.ended(project, ASKED)
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    assert (run.done, run.total) == (4, 4)
    kept = checks()[0]
    assert (kept.project_id, kept.run_id, kept.lvlm) == (project.id, run.id, project.lvlm)
    assert kept.identity == run.result["lvlm_identity"] == f"openai:m@{server.url}"
    assert not kept.passed
    figures = CheckFigures.model_validate(kept.figures)
    lines = {line.key: line for line in figures.domains[0].lines}
    assert (lines["balanced"].figure.value, lines["balanced"].figure.n) == (0.5, 24)
    assert {key for key, line in lines.items() if line.met is False} == {"balanced", "listens", "looks"}
    assert (figures.images, figures.tokens_read) == (40, None)
    assert figures.seconds > 0


def test_the_first_picture_is_shown_in_four_ways_with_what_was_said(server: Server) -> None:
    small.ended(project_with(f"openai:m@{server.url}"), ASKED)
    cases = CheckFigures.model_validate(checks()[0].figures).domains[0].cases
    assert [case.way for case in cases] == ["straight", "inverted", "bare", "order"]
    assert len({case.picture for case in cases}) == 3  # turned round is the specification, not the picture
    assert all(storage().get(case.picture).startswith(b"\x89PNG") for case in cases)
    assert {one.words for case in cases for one in case.said} == {"a thing; named as spurious; spurious"}


def test_every_check_asks_anew_logs_its_calls_and_stands_beside_the_one_before(server: Server) -> None:
    project = project_with(f"openai:m@{server.url}")
    runs = [small.ended(project, ASKED) for _ in range(2)]
    assert [kept.run_id for kept in checks()] == [run.id for run in runs]
    with reading() as session:
        calls = dict(session.execute(select(LVLMCall.run_id, func.count()).group_by(LVLMCall.run_id)).all())
    assert calls[runs[0].id] == calls[runs[1].id] >= 40
    assert sum(calls.values()) == len(server.requests)


def test_a_project_without_an_lvlm_has_nothing_to_check() -> None:
    run = small.ended(project_with("none"), ASKED)
    assert run.state is State.FAILED
    assert run.error.startswith("This project has no LVLM")
    assert checks() == []


def test_a_check_that_was_stopped_midway_proves_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "SHARD", 2)
    project = project_with(f"openai:m@{server.url}")
    ask = check.ask

    def stop_then_ask(*asked: object) -> object:
        with transaction() as session:
            session.scalars(select(Run)).one().cancel_requested = True
        return ask(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(check, "ask", stop_then_ask)
    run = small.ended(project, ASKED)
    assert (run.state, run.done) == (State.CANCELLED, 2)
    assert checks() == []


def test_weights_exchanged_between_two_parts_are_not_counted_together() -> None:
    outcomes = [
        {"identity": identity, "said": [], "cases": [], "images": 0, "seconds": 0.0, "tokens": None}
        for identity in ("first", "second")
    ]
    with pytest.raises(RefusedError, match="was exchanged while it was checked"):
        check.counted(ASKED, outcomes)


def test_a_critique_keeps_the_identity_that_a_check_is_compared_with(server: Server) -> None:
    with transaction() as session:
        loop = factories.whole_loop(session, per_class=1)
        session.get_one(Project, loop.project.id).lvlm = f"openai:m@{server.url}"
    asked = CritiqueParameters(analysis_id=loop.analysis.id, specification_id=loop.specification.id)
    run = small.ended(loop.project, asked)
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    assert run.result["lvlm_identity"] == loaded_lvlm(f"openai:m@{server.url}").identity
