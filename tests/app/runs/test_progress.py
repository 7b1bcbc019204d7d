from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.db import now, transaction
from app.models import Kind, Run, Stage, State
from app.queue import PENDING
from app.runs import routes
from app.runs.actions import start_run
from app.runs.parameters import AnalysisParameters
from app.runs.progress import STAGES_IN_WORDS, STEPS, TITLES, progress_of, result_url
from app.runs.queries import Look, look_at
from app.runs.stages import STAGES
from tests import factories
from tests.app.conftest import Browser
from tests.factories import Loop


def a_run(**given: Any) -> Run:
    at = now()
    values: dict[str, Any] = {"kind": Kind.ANALYSIS, "state": State.RUNNING, "created_at": at, "done": 0, "total": 0}
    return Run(**values | given)


@pytest.fixture
def whole(stored: None) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session)


def add_run(whole: Loop, state: State, **given: Any) -> Run:
    with transaction() as session:
        parameters = AnalysisParameters(checkpoint_id=whole.original.id)
        run = factories.add_run(session, whole.project, parameters, Kind.ANALYSIS, state=state)
        for name, value in given.items():
            setattr(run, name, value)
    return run


def test_every_kind_and_every_stage_has_words() -> None:
    no_step = {Kind.CHECK, Kind.HONEYPOT}  # they are of the LVLM
    assert set(TITLES) == set(STEPS) | no_step == set(Kind)
    assert no_step.isdisjoint(STEPS)
    assert {stage for stages in STAGES.values() for stage in stages} <= set(STAGES_IN_WORDS)


def test_speed_and_time_left_come_from_the_stage_that_runs() -> None:
    at = now()
    run = a_run(stage=Stage.ATTRIBUTE, done=60, total=200, stage_started_at=at - timedelta(seconds=20), heartbeat_at=at)
    progress = progress_of(run, at)
    assert progress.speed == "3 images a second"
    assert progress.seconds_left == pytest.approx(140 / 3)
    assert (progress.stage_number, progress.stages) == (2, len(STAGES[Kind.ANALYSIS]))
    assert progress.share == 0.3


def test_slow_work_tells_seconds_for_each() -> None:
    at = now()
    run = a_run(
        kind=Kind.REALIGNMENT, stage=Stage.REALIGN, done=2, total=10, stage_started_at=at - timedelta(seconds=60)
    )
    assert progress_of(run, at).speed == "30 seconds each"
    assert progress_of(run, at + timedelta(minutes=9)).speed == "5 minutes each"


def test_nothing_done_yet_promises_nothing() -> None:
    run = a_run(stage=Stage.ATTRIBUTE, total=200, stage_started_at=now())
    progress = progress_of(run, now())
    assert (progress.speed, progress.seconds_left) == ("", None)


def test_a_run_that_no_worker_is_at_waits() -> None:
    at = now()
    assert progress_of(a_run(heartbeat_at=at - timedelta(minutes=2)), at).waiting_long
    assert not progress_of(a_run(heartbeat_at=at - timedelta(seconds=2)), at).waiting_long
    assert not progress_of(a_run(state=State.FAILED, heartbeat_at=at - timedelta(minutes=2)), at).waiting_long
    assert progress_of(a_run(state=State.QUEUED, created_at=at - timedelta(minutes=1)), at).waiting_long
    assert not progress_of(a_run(state=State.QUEUED), at).waiting_long


def test_a_realignments_result_is_seen_beside_what_was_before(whole: Loop) -> None:
    assert result_url(whole.realignment) == f"/projects/{whole.project.id}/compare"
    assert result_url(whole.analysis) == f"/projects/{whole.project.id}/behaviour"


def test_the_fragment_asks_for_itself_while_the_run_lasts(clinician: Browser, whole: Loop) -> None:
    for state in (State.QUEUED, State.RUNNING):
        run = add_run(whole, state, stage=Stage.ATTRIBUTE if state is State.RUNNING else None, done=3, total=12)
        text = clinician.fragment(f"/runs/{run.id}/progress").text
        assert f'hx-get="/runs/{run.id}/progress"' in text
        assert 'hx-trigger="changed"' in text
        assert f'data-live="/runs/{run.id}/events"' in text
        assert "3 of 12 images" in text
        assert "<html" not in text


def test_events_tell_of_every_change_and_end_with_the_run(
    clinician: Browser, whole: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look(run_id: UUID) -> Look | None:
        seen.append(len(seen))
        with transaction() as session:
            row = session.get_one(Run, run_id)
            row.done += len(seen) % 2
            if len(seen) == 6:
                row.state = State.SUCCEEDED
        return look_at(run_id)

    monkeypatch.setattr(routes, "look_at", look)
    monkeypatch.setattr(routes, "LOOK_SECONDS", 0.0)
    run = add_run(whole, State.RUNNING, stage=Stage.ATTRIBUTE, done=3, total=12)
    answer = clinician.get(f"/runs/{run.id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("data: changed") == 4  # of looks 1, 3, 5 and 6
    assert len(seen) == 6


def test_events_end_by_themselves_and_speak_now_and_then(
    clinician: Browser, whole: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(routes, "LOOKS", 2 * routes.SILENT)
    run = add_run(whole, State.RUNNING, stage=Stage.ATTRIBUTE)
    assert clinician.get(f"/runs/{run.id}/events").text.count("data: changed") == 2


def test_events_are_for_people_who_are_signed_in(visitor: Browser, whole: Loop) -> None:
    run = add_run(whole, State.RUNNING)
    assert "data: changed" not in visitor.get(f"/runs/{run.id}/events").text


def test_the_fragment_says_that_a_run_waits_behind_others(clinician: Browser, whole: Loop) -> None:
    run = add_run(whole, State.RUNNING, stage=Stage.ATTRIBUTE, heartbeat_at=now() - timedelta(minutes=2))
    text = clinician.fragment(f"/runs/{run.id}/progress").text
    assert "This waits for a worker." in text
    assert "No sign of life" not in text


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
def test_the_fragment_of_a_run_that_ended_asks_no_more(clinician: Browser, whole: Loop, state: State) -> None:
    run = add_run(whole, state, stage=Stage.ATTRIBUTE, error="The disk is full.", error_details="OSError: 28")
    text = clinician.fragment(f"/runs/{run.id}/progress").text
    assert "hx-trigger" not in text
    assert "data-live" not in text
    assert ("The disk is full." in text) == (state is State.FAILED)
    assert ("<details>" in text) == (state is State.FAILED)


def test_cancelling_stops_a_queued_run_at_once_and_asks_a_running_one(clinician: Browser, whole: Loop) -> None:
    queued, running = add_run(whole, State.QUEUED), add_run(whole, State.RUNNING)
    for run in (queued, running):
        assert clinician.change(f"/runs/{run.id}/cancel").headers["location"] == f"/runs/{run.id}"
    with transaction() as session:
        assert session.get_one(Run, queued.id).state is State.CANCELLED
        assert session.get_one(Run, running.id).state is State.RUNNING
        assert session.get_one(Run, running.id).cancel_requested
    fragment = clinician.change(f"/runs/{running.id}/cancel", headers={"HX-Request": "true"})
    assert "stopping, what is done is kept" in fragment.text
    assert "Cancel</button>" not in fragment.text


def test_a_clinician_does_not_stop_an_engineers_work(clinician: Browser, engineer: Browser, whole: Loop) -> None:
    with transaction() as session:
        training = factories.training_parameters()
        run = factories.add_run(session, whole.project, training, Kind.TRAINING, whole.engineer, State.RUNNING)
    assert "Cancel</button>" not in clinician.get(f"/runs/{run.id}").text
    refused = clinician.change(f"/runs/{run.id}/cancel")
    assert (refused.status_code, "you are signed in as a clinician" in refused.text) == (403, True)
    assert "Cancel</button>" in engineer.get(f"/runs/{run.id}").text
    assert engineer.change(f"/runs/{run.id}/cancel").status_code == 303


def test_the_page_of_a_realignment_draws_its_curves(clinician: Browser, whole: Loop) -> None:
    text = clinician.get(f"/runs/{whole.realignment.id}").text
    assert text.count("<polyline") == 5
    assert "Evidence on spurious regions: 50 % after epoch 1, 6 % after epoch 8." in text


def test_a_request_does_not_hang_where_no_broker_answers(stored: None) -> None:
    began = now()
    with transaction() as session:
        project = factories.add_project(session)
        checkpoint = factories.add_checkpoint(session, project)
        run = start_run(session, project.id, AnalysisParameters(checkpoint_id=checkpoint.id))
        assert len(session.info[PENDING]) == 1
    assert now() - began < timedelta(seconds=5)
    with transaction() as session:
        assert session.get_one(Run, run.id).state is State.QUEUED
