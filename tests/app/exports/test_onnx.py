"""The ONNX file on the page: asked for once, given out under the signature that counts, and to engineers only."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Action, AuditEntry, Kind, Run, State, User
from app.models.onnx_record import KEY, OnnxRecord
from app.runs.parameters import ExportParameters
from app.storage import storage
from tests.app.conftest import Browser
from tests.factories import Loop, add_run
from tests.signed import add_decision
from worker.benchmarks.own_database import counted

FILE = b"an ONNX file"


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.engineer)


def decide(loop: Loop, *, approved: bool = True) -> UUID:
    with transaction() as session:
        return add_decision(session, loop.realigned.id, approved=approved).id


def add_export(loop: Loop, decision: UUID | None = None, state: State = State.SUCCEEDED) -> Run:
    """A run as the worker leaves it; with its file where a decision is given."""
    with transaction() as session:
        asked = ExportParameters(checkpoint_id=loop.realigned.id)
        run = add_run(session, loop.project, asked, Kind.EXPORT, state=state)
        if decision is not None:
            record = OnnxRecord(
                decision_id=decision,
                blob=storage().put(FILE + decision.bytes),
                bytes=2_400_000,
                difference=2.7e-5,
                allowed=0.00123,
                pictures=64,
                split="validation",
            )
            run.result = {KEY: record.model_dump(mode="json")}
        return run


def address(loop: Loop) -> str:
    return f"/projects/{loop.project.id}/checkpoints/{loop.realigned.id}/onnx"


def compare_page(loop: Loop, browser: Browser) -> str:
    text = browser.get(f"/projects/{loop.project.id}/compare").text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def exports() -> list[Run]:
    with reading() as session:
        return list(session.scalars(select(Run).where(Run.kind == Kind.EXPORT)))


def exported_files() -> list[str]:
    with reading() as session:
        told = session.scalars(select(AuditEntry.after).where(AuditEntry.action == Action.EXPORTED))
        return [after["file"] for after in told if after]


@pytest.mark.usefixtures("database")
def test_it_is_asked_for_once_and_the_page_follows_the_work(loop: Loop, page: Browser) -> None:
    decide(loop)
    assert "Make the ONNX file" in compare_page(loop, page)
    for _ in range(2):
        answer = page.change(address(loop))
        assert answer.status_code == 303
    assert answer.headers["location"] == (f"/projects/{loop.project.id}/compare?checkpoint={loop.realigned.id}#exports")
    (run,) = exports()
    assert run.parameters == {"checkpoint_id": str(loop.realigned.id)}
    text = page.get(f"/projects/{loop.project.id}/compare").text
    assert f'data-live="/runs/{run.id}/events"' in text
    assert "Make the ONNX file" not in text


@pytest.mark.usefixtures("database")
def test_the_file_stands_with_how_near_its_answers_are_and_every_download_is_told(loop: Loop, page: Browser) -> None:
    decision = decide(loop)
    add_export(loop, decision)
    text = compare_page(loop, page)
    assert "2.4 MB, with this signature inside" in text
    assert "differ by at most 0.000027 (validation pictures, n = 64); up to 0.0012 was allowed" in text
    assert "Make the ONNX file" not in text
    for _ in range(2):
        answer = page.get(address(loop))
    assert answer.content == FILE + decision.bytes
    assert 'filename="knees-checkpoint-2.onnx"' in answer.headers["content-disposition"]
    assert exported_files() == ["knees-checkpoint-2.onnx"] * 2


def test_what_is_there_is_not_made_again_but_under_a_new_decision(loop: Loop, page: Browser) -> None:
    add_export(loop, decide(loop))
    assert page.change(address(loop)).status_code == 303
    assert len(exports()) == 1
    newest = decide(loop)
    assert "Make the ONNX file" in compare_page(loop, page)
    assert page.get(address(loop)).status_code == 404
    assert page.change(address(loop)).status_code == 303
    assert len(exports()) == 2
    add_export(loop, newest)
    assert page.get(address(loop)).content == FILE + newest.bytes


def test_without_an_approval_it_is_neither_made_nor_given_out(loop: Loop, page: Browser) -> None:
    assert page.change(address(loop)).status_code == 409
    add_export(loop, decide(loop))
    decide(loop, approved=False)
    assert "ONNX" not in compare_page(loop, page)
    refused = page.get(address(loop))
    assert (refused.status_code, "is not approved, so it is not given out" in refused.text) == (409, True)
    assert page.change(address(loop)).status_code == 409
    assert len(exports()) == 1
    assert exported_files() == []


def test_clinicians_neither_make_it_nor_take_it_out(loop: Loop, signed_in: Callable[[User], Browser]) -> None:
    add_export(loop, decide(loop))
    reader = signed_in(loop.clinician)
    assert "ONNX" not in compare_page(loop, reader)
    assert reader.change(address(loop)).status_code == 403
    assert reader.get(address(loop)).status_code == 403
    assert reader.post(address(loop)).status_code == 403
    assert exported_files() == []


def test_another_sites_form_starts_nothing(loop: Loop, page: Browser) -> None:
    decide(loop)
    assert page.post(address(loop)).status_code == 403
    assert exports() == []


def test_a_run_that_failed_is_told_and_can_be_asked_for_again(loop: Loop, page: Browser) -> None:
    decide(loop)
    run = add_export(loop, state=State.FAILED)
    with transaction() as session:
        session.get_one(Run, run.id).error = "It answers otherwise."
    text = compare_page(loop, page)
    assert "Writing the approved checkpoint as an ONNX file failed. It answers otherwise." in text
    assert "Make the ONNX file" in text
    decide(loop)
    assert "It answers otherwise." not in compare_page(loop, page)


def test_a_blob_that_is_gone_is_told(loop: Loop, page: Browser) -> None:
    add_export(loop, decide(loop))
    storage().forget(OnnxRecord.model_validate(exports()[0].result[KEY]).blob)
    assert "missing in the store" in page.get(address(loop)).text
    assert exported_files() == []


@pytest.mark.parametrize("made", [False, True])
def test_the_page_takes_at_most_twelve_statements(loop: Loop, page: Browser, made: bool) -> None:
    decision = decide(loop)
    if made:
        add_export(loop, decision)
    with counted() as statements:
        assert page.get(f"/projects/{loop.project.id}/compare").status_code == 200
    assert len(statements) <= 12, "\n".join(statements)
