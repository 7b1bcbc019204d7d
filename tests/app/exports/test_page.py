"""What is taken out of a realigned checkpoint beside its weights."""

import csv
import io
import re
import sys
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import (
    Action,
    Answer,
    AuditEntry,
    Cluster,
    Image,
    Project,
    Review,
    SpecificationEntry,
    Split,
    TargetClass,
    User,
    Verdict,
)
from app.storage import storage
from tests.app.conftest import Browser
from tests.app.decisions.test_page import guarded, sign
from tests.factories import Loop, add_user, read_blind
from tests.trusted import say

KINDS = ("report", "report.pdf", "card", "verdicts")


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def address(loop: Loop, what: str) -> str:
    return f"/projects/{loop.project.id}/checkpoints/{loop.realigned.id}/{what}"


def test_a_report_is_one_file_that_names_no_other(loop: Loop, page: Browser) -> None:
    answer = page.get(address(loop, "report"))
    assert answer.headers["content-disposition"] == 'attachment; filename="knees-checkpoint-2-report.html"'
    named = re.findall(r'(?:src|href|srcset|action|data)\s*=\s*"([^"]*)"', answer.text)
    assert named
    assert all(each.startswith("data:image/png;base64,") for each in named)
    assert "url(" not in answer.text
    assert "<script" not in answer.text


def test_a_report_tells_what_compare_tells(loop: Loop, page: Browser) -> None:
    assert sign(loop, page, reason="The worst group rose.") == 303
    text = " ".join(re.sub(r"<[^>]*>", " ", page.get(address(loop, "report")).text).split())
    assert "Approved by Dr. Ada Reader" in text
    assert "The worst group rose." in text
    assert re.search(r"The worst group rises by at least 5 points [^✓✕]+n = 98\) \+32\.0 ✓ met", text)
    for entry in loop.specification.entries:
        assert entry.spurious in text
    assert loop.realigned.weights in text
    pictures = re.findall(r'<img src="data:image/png[^"]*" alt="([^"]*)"', page.get(address(loop, "report")).text)
    assert len(pictures) >= 6


def test_classes_come_in_the_order_of_the_project(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        targets = session.scalars(select(TargetClass).where(TargetClass.project_id == loop.project.id))
        positions = {target.id: target.position for target in targets}
        for entry in session.scalars(select(SpecificationEntry)):
            entry.notes = f"note {positions[entry.class_id]}"
    for what in ("report", "card"):
        text = page.get(address(loop, what)).text
        places = [text.index(f"note {position}") for position in range(len(positions))]
        assert places == sorted(places)


def test_words_from_outside_are_text_in_every_file(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).name = "<b>Knees</b> | *x* [y](http://z)"
        entry = session.scalars(select(SpecificationEntry)).first()
        assert entry is not None
        entry.spurious = "<img src=x onerror=alert(1)>\n# head"
    report, card = (page.get(address(loop, what)).text for what in ("report", "card"))
    assert "<b>Knees" not in report
    assert "<img src=x" not in report
    assert r"\<b\>Knees\</b\> \| \*x\* \[y\](http://z)" in card
    assert "\n# head" not in card


def test_the_pdf_is_tagged_and_holds_the_pictures(loop: Loop, page: Browser) -> None:
    answer = page.get(address(loop, "report.pdf"))
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert b"/Image" in answer.content
    assert answer.content.rstrip().endswith(b"%%EOF")


def test_without_the_library_the_pdf_says_what_to_do(
    loop: Loop, page: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lacking:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Lacking(), *sys.meta_path])
    answer = page.get(address(loop, "report.pdf"))
    assert answer.status_code == 503
    assert "lacks the library Pango" in answer.text
    assert "every browser prints it" in answer.text


def test_a_model_card_has_figures_with_their_n_and_its_limits(loop: Loop, page: Browser) -> None:
    card = page.get(address(loop, "card")).text
    assert card.startswith("# Model card: checkpoint 2 of Knees")
    assert "Not decided" in card
    assert re.search(r"\| Worst group \| [^|]*n.=.98[^|]*\| [^|]*n.=.98[^|]*\| \+32\.0 \|", card)
    assert "no other shortcut" in card
    assert "same answer without the spurious regions, 8 epochs, seed 0" in card
    assert "thing is taken away (regions that stand as spurious, explained training pictures): 40" in card
    assert "{{" not in card
    assert "<" not in card.replace(r"\<", "")


def test_the_epoch_that_was_delivered_is_named_and_not_those_that_were_asked_for(loop: Loop, page: Browser) -> None:
    guarded(loop)
    assert "spurious regions, after epoch 6 of 7, seed 0" in page.get(address(loop, "card")).text
    assert "<dd>after epoch 6 of 7</dd>" in page.get(address(loop, "report")).text


def test_a_report_is_in_the_reader_s_language(loop: Loop, page: Browser) -> None:
    page.change("/account/language", data={"language": "de", "next": "/"})
    report, card = (page.get(address(loop, what)).text for what in ("report", "card"))
    assert '<html lang="de">' in report
    assert "Bericht" in report
    assert "Grenzen" in card


def table(page: Browser, loop: Loop) -> list[dict[str, str]]:
    text = page.get(address(loop, "verdicts")).content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_verdicts_wait_for_the_blind_reading_and_then_are_a_row_for_each_region(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    compare, waits = f"/projects/{loop.project.id}/compare", "can be taken out after your blind reading"
    assert page.get(address(loop, "verdicts")).status_code == 409
    assert address(loop, "verdicts") not in page.get(compare).text
    assert waits in page.get(compare).text
    rows = table(signed_in(loop.engineer), loop)
    assert len(rows) == sum(len(each.clusters) for each in loop.explanations)
    assert {row["The judge’s verdict"] for row in rows} <= {"spurious", "relevant", "uncertain"}
    assert {row["By whom"] for row in rows} == {"the judge"}
    with transaction() as session:
        read_blind(session, loop.critique, loop.clinician)
    assert "a person" in {row["By whom"] for row in table(page, loop)}
    assert address(loop, "verdicts") in page.get(compare).text
    assert waits not in page.get(compare).text


def test_a_second_reader_s_verdicts_stand_as_if_others_had_not_answered(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 100
        bo = add_user(session, "bo")
        for reader in (loop.clinician, bo):
            read_blind(session, loop.critique, reader)
    both = sum(row["By whom"] == "a person" for row in table(page, loop))
    with transaction() as session:
        judged = {row.cluster_id for row in session.scalars(select(Verdict))}
        read = set(session.scalars(select(Review.cluster_id)))
        rest = session.scalars(select(Cluster.id).where(Cluster.id.in_(judged - read)).order_by(Cluster.id)).all()
        say(session, loop.critique, bo, rest[0], Answer.SPURIOUS, blind=False)
    assert sum(row["By whom"] == "a person" for row in table(page, loop)) == both
    assert sum(row["By whom"] == "a person" for row in table(signed_in(bo), loop)) == both + 1


def test_what_was_taken_out_is_in_the_log_and_strangers_take_nothing(
    loop: Loop, page: Browser, visitor: Browser, signed_in: Callable[[User], Browser]
) -> None:
    for what in KINDS:
        assert signed_in(loop.engineer).get(address(loop, what)).status_code == 200
        assert visitor.get(address(loop, what), follow_redirects=False).status_code in {303, 401}
        assert page.get(address(loop, what).replace(str(loop.realigned.id), str(loop.original.id))).status_code == 404
    with reading() as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.action == Action.EXPORTED)).all()
    assert sorted(each.thing for each in found) == ["model card", "report", "report", "verdict"]
    assert {each.thing_id for each in found} == {loop.realigned.id}


def test_a_picture_whose_file_is_gone_is_left_out(loop: Loop, page: Browser) -> None:
    before = page.get(address(loop, "report")).text.count("<img ")
    with reading() as session:
        gone = session.scalars(select(Image.blob).where(Image.split == Split.TEST)).first()
    assert gone is not None
    storage().forget(gone)
    assert page.get(address(loop, "report")).text.count("<img ") < before
