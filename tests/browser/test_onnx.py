"""The ONNX file from the page: asked for with the keyboard, followed while a worker writes it, then taken."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.db import now, transaction
from app.models import Decision, Kind, Run, State
from app.models.onnx_record import KEY, OnnxRecord
from app.storage import storage
from tests import factories
from tests.browser.pages import scrolls_sideways
from tests.factories import Loop
from tests.signed import add_decision

pytestmark = pytest.mark.browser
FILE = b"an ONNX file"


@pytest.fixture
def approved(sqlite: None) -> Loop:
    with transaction() as session:
        made = factories.whole_loop(session)
        add_decision(session, made.realigned.id)
    return made


def end_as_a_worker_does() -> None:
    with transaction() as session:
        run = session.scalars(select(Run).where(Run.kind == Kind.EXPORT)).one()
        record = OnnxRecord(
            decision_id=session.scalars(select(Decision.id)).one(),
            blob=storage().put(FILE),
            bytes=2_400_000,
            difference=2.7e-5,
            allowed=0.00123,
            pictures=64,
            split="validation",
        )
        run.state, run.finished_at, run.result = State.SUCCEEDED, now(), {KEY: record.model_dump(mode="json")}


@pytest.mark.parametrize(("width", "scheme", "language"), [(1440, "light", "en"), (390, "dark", "de")])
def test_it_is_asked_for_followed_and_taken(
    approved: Loop,
    open_as: Callable[..., Page],
    check_access: Callable[[Page], None],
    width: int,
    scheme: str,
    language: str,
) -> None:
    words = {
        "en": ("Make the ONNX file", "Writing the approved checkpoint", "See the result", "Download the ONNX file"),
        "de": ("ONNX-Datei erstellen", "Den freigegebenen Modellstand", "Ergebnis ansehen", "ONNX-Datei herunterladen"),
    }
    make, doing, result, take = words[language]
    page = open_as(
        approved.engineer, f"/projects/{approved.project.id}/compare", width, scheme=scheme, language=language
    )
    button = page.get_by_role("button", name=make)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("main .run")).to_contain_text(doing)
    expect(button).to_have_count(0)
    check_access(page)
    assert not scrolls_sideways(page)
    end_as_a_worker_does()
    page.get_by_role("link", name=result).click()
    link = page.get_by_role("link", name=take)
    expect(link).to_be_visible()
    check_access(page)
    assert not scrolls_sideways(page)
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "knees-checkpoint-2.onnx"
    assert Path(download.value.path()).read_bytes() == FILE
