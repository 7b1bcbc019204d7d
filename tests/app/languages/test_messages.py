"""What a worker told is English for everybody who reads it raw, and on a page in the reader's language."""

import pytest
from sqlalchemy import select, text

from app.api.run_shapes import RunOut
from app.db import reading, transaction
from app.languages.catalogue import reading_in
from app.languages.messages import (
    Message,
    MessageError,
    as_json,
    as_text,
    from_json,
    from_text,
    in_english,
    joined,
    told,
)
from app.models import AuditEntry, Kind, Run, State
from app.models.preview import CheckpointSeen, ProblemSeen
from app.runs.parameters import AnalysisParameters
from tests import factories
from tests.app.conftest import Browser
from worker.tasks import engine
from worker.tasks.job import RefusedError

LARGE = Message("It has %(size)s bytes; a file may have %(most)s.", size=12345, most=1000)
OF_A_MASK = Message("Mask %(path)s: %(what)s", path="50% off/m.png", what=LARGE)
IN_GERMAN = "Maske 50% off/m.png: Die Datei hat 12.345 Byte; erlaubt sind 1.000."


def in_german(words: str) -> str:
    with reading_in("de"):
        return told(words)


def test_a_message_is_english_text() -> None:
    assert OF_A_MASK == "Mask 50% off/m.png: It has 12,345 bytes; a file may have 1,000."
    assert str(MessageError(OF_A_MASK)) == OF_A_MASK
    assert told(OF_A_MASK) == OF_A_MASK


def test_it_is_told_in_the_readers_language_with_its_figures_and_what_it_quotes() -> None:
    assert in_german(OF_A_MASK) == IN_GERMAN
    assert in_german(joined(("a.zip", LARGE), ": ")) == "a.zip: Die Datei hat 12.345 Byte; erlaubt sind 1.000."


def test_it_comes_back_from_a_column_and_from_a_document() -> None:
    for kept in (from_text(as_text(OF_A_MASK)), from_json(as_json(OF_A_MASK))):
        assert kept == OF_A_MASK
        assert in_german(kept) == IN_GERMAN
    assert in_german(as_json(OF_A_MASK)) == IN_GERMAN


@pytest.mark.parametrize(
    "old", ["", "The disk is full.", "100 %", '{"sentence": ', '{"sentence": 3}', '{"sentence": "%(a)s"}']
)
def test_what_was_stored_as_plain_text_is_shown_as_it_is(old: str) -> None:
    assert from_text(as_text(old)) == old
    assert in_german(from_text(old)) == old


def test_a_document_is_english_for_programs() -> None:
    document = {"problems": [{"row": 2, "message": as_json(OF_A_MASK)}], "count": 1, "sentence": "a"}
    assert in_english(document) == {**document, "problems": [{"row": 2, "message": str(OF_A_MASK)}]}


def test_a_preview_keeps_its_messages() -> None:
    for seen in (ProblemSeen(row=2, path="a.png", message=OF_A_MASK), CheckpointSeen(bytes=1, problem=OF_A_MASK)):
        again = type(seen).model_validate_json(seen.model_dump_json())
        words = again.message if isinstance(again, ProblemSeen) else again.problem
        assert (words, in_german(words)) == (OF_A_MASK, IN_GERMAN)


@pytest.mark.parametrize(
    "error",
    [RefusedError(LARGE), MessageError(LARGE), RuntimeError("out of memory"), engine.CancelledError("gone")],
    ids=lambda error: type(error).__name__,
)
def test_every_failure_of_a_worker_can_be_told(error: Exception) -> None:
    words = engine.sentence(error)
    assert in_german(words) != words
    assert (in_german(engine.KEPT) in in_german(words)) == (not isinstance(error, RefusedError))


def test_a_failed_run_is_told_to_each_in_their_own_words(stored: None, clinician: Browser) -> None:
    with transaction() as session:
        whole = factories.whole_loop(session)
        parameters = AnalysisParameters(checkpoint_id=whole.original.id)
        run = factories.add_run(session, whole.project, parameters, Kind.ANALYSIS, state=State.FAILED)
        run.error = OF_A_MASK
        run.result = {"problems": [{"row": 2, "path": "a.png", "message": as_json(LARGE)}], "problem_count": 1}
    page = clinician.get(f"/runs/{run.id}", headers={"Accept-Language": "de"}).text
    assert IN_GERMAN in page
    assert "a.png: Die Datei hat 12.345 Byte" in page
    assert OF_A_MASK in clinician.get(f"/runs/{run.id}").text
    with reading() as session:
        kept = session.get_one(Run, run.id)
        out = RunOut.model_validate(kept)
        assert (out.error, out.result["problems"][0]["message"]) == (OF_A_MASK, LARGE)
        assert session.scalar(text("select error from run where error != ''")).startswith('{"sentence": "Mask ')
        told_of = session.scalars(select(AuditEntry).where(AuditEntry.thing_id == run.id)).all()
        assert OF_A_MASK in str([entry.after for entry in told_of])
