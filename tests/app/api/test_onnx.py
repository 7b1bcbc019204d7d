"""Programs ask for the ONNX file of an approved checkpoint and take it, as an engineer does on the page."""

from collections.abc import Callable
from uuid import UUID

from fastapi.testclient import TestClient

from app.db import transaction
from app.models import Kind, Role
from app.models.onnx_record import KEY, OnnxRecord
from app.runs.parameters import ExportParameters
from app.storage import storage
from tests.factories import Loop, add_run
from tests.signed import add_decision


def decide(loop: Loop, *, approved: bool = True) -> UUID:
    with transaction() as session:
        return add_decision(session, loop.realigned.id, approved=approved).id


def add_file(loop: Loop, decision: UUID, content: bytes) -> None:
    """As the worker leaves it."""
    record = OnnxRecord(
        decision_id=decision,
        blob=storage().put(content),
        bytes=len(content),
        difference=1e-6,
        allowed=1e-4,
        pictures=4,
        split="validation",
    )
    with transaction() as session:
        run = add_run(session, loop.project, ExportParameters(checkpoint_id=loop.realigned.id), Kind.EXPORT)
        run.result = {KEY: record.model_dump(mode="json")}


def test_programs_start_it_and_take_the_file(loop: Loop, program: TestClient) -> None:
    start, file = f"projects/{loop.project.id}/runs", f"checkpoints/{loop.realigned.id}/onnx"
    asked = {"kind": "export", "parameters": {"checkpoint_id": str(loop.realigned.id)}}
    refused = program.post(start, json=asked)
    assert refused.status_code == 422
    told = "This checkpoint is not approved, so it is not given out. Decide on it first. Nothing was started."
    assert refused.json()["detail"].startswith(told)
    decision = decide(loop)
    started = program.post(start, json=asked)
    assert (started.status_code, started.json()["kind"]) == (202, "export")
    assert program.get(file).status_code == 404
    add_file(loop, decision, b"an ONNX file")
    assert program.get(file).content == b"an ONNX file"
    decide(loop, approved=False)
    assert program.get(file).status_code == 409


def test_clinicians_programs_do_neither(loop: Loop, call_as: Callable[[Role], TestClient]) -> None:
    add_file(loop, decide(loop), b"an ONNX file")
    clinician = call_as(Role.CLINICIAN)
    asked = {"kind": "export", "parameters": {"checkpoint_id": str(loop.realigned.id)}}
    assert clinician.post(f"projects/{loop.project.id}/runs", json=asked).status_code == 403
    assert clinician.get(f"checkpoints/{loop.realigned.id}/onnx").status_code == 403
