"""From the files that an engineer sends to a project, or to nothing at all."""

import csv
import io
import pickle
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from httpx2 import Response
from PIL import Image as Picture
from sqlalchemy import select

from app.audit.chain import Link, follow
from app.db import now, reading, transaction
from app.drafts.actions import remove_old_drafts
from app.models import Checkpoint, Dataset, Image, Kind, Project, Role, Run, State, TargetClass, TrustBar, User
from app.storage import UPLOAD, storage
from tests import brought
from tests.app.conftest import Browser
from tests.dicoms import BIRTH, KNEE_16, NAME, PATIENT, dicom
from tests.factories import add_project, add_user
from worker.benchmarks.own_database import counted, forget_settings
from worker.tasks.here import run_here

NEW = "/projects/new"


def send(
    browser: Browser, dataset: bytes | None, weights: bytes | None = None, to: str = NEW, **typed: str
) -> Response:
    files = {
        name: (filename, content)
        for name, filename, content in (("dataset", "knees.zip", dataset), ("weights", "mlp.safetensors", weights))
        if content is not None
    }
    # As a browser does it: a field without a chosen file is sent empty and nameless.
    return browser.change(to, data=brought.FORM | typed, files=files or {"dataset": ("", b"")})


def sent(browser: Browser, *files: bytes | None, **typed: str) -> str:
    """The address of the draft, once a worker has looked at it."""
    answer = send(browser, *files, **typed)
    assert answer.status_code == 303, answer.text
    look()
    return answer.headers["location"]


def look() -> None:
    """Does every run that is queued, as a worker would, and those that follow from it."""
    while True:
        with reading() as session:
            waiting = session.scalars(select(Run.id).where(Run.state == State.QUEUED)).first()
        if waiting is None:
            return
        run_here(waiting)


def uploads(data_folder: Path) -> set[str]:
    return {path.name for path in (data_folder / "blobs").rglob(f"{UPLOAD}*") if path.is_file()}


def rows(model: type) -> list:
    with reading() as session:
        return list(session.scalars(select(model)))


@pytest.mark.usefixtures("database")
def test_what_is_sound_becomes_a_project_with_its_checkpoint_explained(engineer: Browser, data_folder: Path) -> None:
    address = sent(engineer, brought.folders(), brought.weights(), task="Tells <b>knees</b> apart.")
    preview = engineer.get(address).text
    assert "18 pictures are sound" in preview
    assert re.search(r"of 6\s+test pictures are answered", preview)
    assert "16 × 16" in preview
    assert not rows(Dataset)
    assert not rows(TargetClass)
    assert engineer.get(f"{address}/pictures/0").headers["content-type"] == "image/png"
    made = engineer.change(f"{address}/create")
    assert made.status_code == 303
    look()
    (project,) = rows(Project)
    assert made.headers["location"] == f"/projects/{project.id}/behaviour"
    assert (project.name, project.draft, project.task) == ("Knees", None, "Tells <b>knees</b> apart.")
    assert {run.kind: run.state for run in rows(Run)} == {
        Kind.IMPORT: State.SUCCEEDED,
        Kind.REGISTRATION: State.SUCCEEDED,
        Kind.ANALYSIS: State.SUCCEEDED,
    }
    assert [checkpoint.architecture for checkpoint in rows(Checkpoint)] == ["mlp"]
    assert len(rows(TrustBar)) == 1
    assert uploads(data_folder) == set()
    assert engineer.change(f"{address}/create").status_code == 404
    with reading() as session:
        assert not follow(session, Link(), 10_000).broken


@pytest.mark.usefixtures("sqlite")
def test_classes_keep_the_order_that_was_typed_and_columns_can_make_groups(engineer: Browser) -> None:
    splits = ["train", "validation", "test"] * 4
    listed = [f"{n}.png,{'ab'[n % 2]},{split},{'yes' if n % 3 else 'no'}" for n, split in enumerate(splits)]
    address = sent(engineer, brought.manifest(listed), classes="b\na\n")
    preview = engineer.get(address).text
    assert 'value="letter"' in preview
    assert "yes (8)" in preview
    engineer.change(f"{address}/create", data={"group_by": ["letter", "made up"]})
    look()
    (project,) = rows(Project)
    assert project.group_by == ["letter"]
    assert [each.name for each in sorted(rows(TargetClass), key=lambda each: each.position)] == ["b", "a"]
    assert rows(Dataset)[0].images == 12


@pytest.mark.usefixtures("sqlite")
def test_ten_thousand_bad_rows_are_counted_shown_in_part_and_given_as_csv(engineer: Browser) -> None:
    listed = [f"=cmd/{number}.png,<b>knee</b>,train,x" for number in range(10_000)]
    address = sent(engineer, brought.manifest(listed, pictures=False))
    preview = engineer.get(address).text
    assert "10,000 problems" in preview
    assert preview.count("The file is missing.") == 100
    assert "<b>knee" not in preview
    assert "/create" not in preview
    answer = engineer.get(f"{address}/problems.csv")
    told = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(told) == 10_001
    assert told[0] == ["Row", "File", "What is wrong and what to do"]
    assert told[1] == ["2", "'=cmd/0.png", "The file is missing."]
    german = engineer.get(f"{address}/problems.csv", headers={"Accept-Language": "de"}).text.removeprefix("\ufeff")
    assert list(csv.reader(io.StringIO(german)))[:2] == [
        ["Zeile", "Datei", "Was falsch und was zu tun ist"],
        ["2", "'=cmd/0.png", "Die Datei fehlt."],
    ]
    assert engineer.change(f"{address}/create").status_code == 409
    assert [project.draft is None for project in rows(Project)] == [False]


@pytest.mark.usefixtures("sqlite")
def test_of_dicom_files_the_pictures_are_kept_and_nothing_of_their_headers(
    engineer: Browser, data_folder: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    address = sent(engineer, brought.from_hospital(), brought.weights())
    preview = engineer.get(address).text
    assert "18 pictures are sound" in preview
    assert "18 are DICOM files: of each only the picture is kept" in preview
    assert "Text may be written into these pictures" in preview
    assert "train/a/0.dcm." in preview
    assert "3, each in one split" in preview
    engineer.change(f"{address}/create")
    look()
    with reading() as session:
        images = list(session.scalars(select(Image)))
        assert {image.patient for image in images} == {None}
        assert len(images) == 18
        stored = [storage().get(image.blob) for image in images]
    assert all(Picture.open(io.BytesIO(data)).mode == "I;16" for data in stored)
    values = engineer.get(f"/pictures/images/{images[0].id}/values").content
    assert values.startswith(b"P5\n")
    assert uploads(data_folder) == set()
    said = f"{caplog.text} {[str(each.message) for each in recwarn]}".encode()
    everything = [said, *(path.read_bytes() for path in data_folder.rglob("*") if path.is_file())]
    assert sum(map(len, everything)) > 100_000
    for secret in (NAME, "SECRETIVE", BIRTH, PATIENT):
        assert not [content for content in everything if secret.encode() in content]


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (brought.packed([("../outside.png", b"x")]), "outside the folder"),
        (brought.packed([("train/a/0.png", bytes(3_000_000))]), "more than 200 times"),
        (brought.packed([("train/a/0.png", b"x"), ("more.zip", b"PK")]), "archive inside"),
        (brought.packed([("train/a/0.png", b"no picture")]), "not a PNG or JPEG"),
        (brought.packed([("train/a/0.png", bytes(128) + b"DICM" + b"rest")]), "DICOM file without a picture"),
        (brought.packed([("train/a/0.dcm", dicom(KNEE_16, NumberOfFrames=2))]), "with 2 pictures"),
        (brought.packed([("notes.txt", b"hello")]), "neither a manifest.csv"),
        (brought.folders()[:2000], "no zip archive, or it is damaged"),
        (brought.folders(("only",)), "at least two classes"),
    ],
)
@pytest.mark.usefixtures("sqlite")
def test_a_bad_archive_is_a_problem_and_no_project(engineer: Browser, dataset: bytes, words: str) -> None:
    address = sent(engineer, dataset)
    preview = engineer.get(address).text
    assert words in preview
    assert "/create" not in preview


@pytest.mark.parametrize(
    ("typed", "weights", "words"),
    [
        ({"architecture": "torchvision/resnet19"}, brought.weights(), "Did you mean torchvision/resnet18"),
        ({"size": "20"}, brought.weights(), "Wrong shapes"),
        ({}, brought.weights(3), "They answer for 3 classes; 2 were expected."),
    ],
)
@pytest.mark.usefixtures("sqlite")
def test_a_checkpoint_that_does_not_fit_says_why(
    engineer: Browser, typed: dict[str, str], weights: bytes, words: str
) -> None:
    preview = engineer.get(sent(engineer, brought.folders(), weights, **typed)).text
    assert words in preview
    assert "/create" not in preview


@pytest.mark.parametrize(
    ("files", "typed", "words"),
    [
        ((b"no zip at all", None), {}, "This is no zip"),
        ((None, None), {}, "Choose the zip"),
        ((brought.folders(), pickle.dumps({"a": 1})), {}, "can hold code"),
        ((brought.folders(), b"<html>"), {}, "no safetensors file"),
        ((brought.folders(), None), {"name": " "}, "needs a name"),
        ((brought.folders(), None), {"name": "Taken"}, "already a project with the name Taken"),
        ((brought.folders(), None), {"classes": "a\na"}, "Every class needs a name of its own"),
        ((brought.folders(), None), {"lvlm": "openai:m@https://elsewhere.example/v1"}, "not allowed"),
        ((brought.folders(), brought.weights()), {"architecture": ""}, "Name the architecture"),
        ((brought.folders(), brought.weights()), {"mean": "a, b"}, "not a list of numbers"),
        ((brought.folders(), brought.weights()), {"std": "0"}, "greater than 0"),
        ((brought.folders(), brought.weights()), {"size": "4"}, "greater than or equal to 8"),
    ],
)
@pytest.mark.usefixtures("sqlite")
def test_a_mistake_in_the_form_keeps_what_was_typed_and_stores_nothing(
    engineer: Browser, data_folder: Path, files: tuple[bytes | None, ...], typed: dict[str, str], words: str
) -> None:
    with transaction() as session:
        add_project(session, "Taken")
    answer = send(engineer, *files, task="Which <knee>?", **typed)
    assert answer.status_code == 422
    assert words in answer.text
    assert "Which &lt;knee&gt;?" in answer.text
    assert uploads(data_folder) == set()
    assert not [project for project in rows(Project) if project.draft]


@pytest.mark.usefixtures("sqlite")
def test_going_back_keeps_what_was_typed_and_sent_and_replaces_only_what_is_chosen_anew(
    engineer: Browser, data_folder: Path
) -> None:
    address = sent(engineer, brought.folders(("only",)), brought.weights())
    form = engineer.get(f"{address}/change").text
    assert 'value="Knees"' in form
    assert "knees.zip is kept" in form
    before = uploads(data_folder)
    answer = send(engineer, brought.folders(), None, to=address, name="Knees anew")
    assert answer.headers["location"] == address
    look()
    preview = engineer.get(address).text
    assert "New project: Knees anew" in preview
    assert "fits" in preview
    assert len(uploads(data_folder) & before) == 1  # the weights
    wrong = send(engineer, None, None, to=address, name="")
    assert (wrong.status_code, "knees.zip is kept" in wrong.text) == (422, True)


@pytest.mark.usefixtures("sqlite")
def test_a_draft_is_nobody_elses_and_is_in_no_list(
    engineer: Browser, signed_in: Callable[[User], Browser], clinician: Browser
) -> None:
    address = sent(engineer, brought.folders())
    draft_id = address.rsplit("/", 1)[-1]
    with transaction() as session:
        stranger = add_user(session, "other", Role.ENGINEER)
    other = signed_in(stranger)
    for page in (address, f"{address}/change", f"{address}/problems.csv", f"{address}/pictures/0"):
        assert other.get(page).status_code == 404
        assert clinician.get(page).status_code == 403
    assert other.change(f"{address}/create").status_code == 404
    assert other.change(f"{address}/discard").status_code == 404
    assert send(other, None, to=address).status_code == 404
    for browser in (engineer, other):
        assert "draft" not in browser.get("/").text
        assert browser.get(f"/projects/{draft_id}/behaviour").status_code == 404
    assert "Knees, " in engineer.get(NEW).text


@pytest.mark.usefixtures("sqlite")
def test_what_is_thrown_away_or_left_for_a_day_goes_with_its_files(engineer: Browser, data_folder: Path) -> None:
    thrown, left, new = (sent(engineer, brought.folders(), brought.weights(), name=name) for name in "abc")
    engineer.change(f"{thrown}/discard")
    with transaction() as session:
        for run in session.scalars(select(Run).where(Run.project_id == UUID(left.rsplit("/", 1)[-1]))):
            run.created_at = now() - timedelta(hours=25)
    with transaction() as session:
        remove_old_drafts(session)
    assert [engineer.get(address).status_code for address in (thrown, left, new)] == [404, 404, 200]
    engineer.change(f"{new}/discard")
    assert uploads(data_folder) == set()
    assert not rows(Project)
    assert not rows(Run)


@pytest.mark.usefixtures("sqlite")
def test_a_look_can_be_stopped_and_begun_again(engineer: Browser) -> None:
    address = send(engineer, brought.folders()).headers["location"]
    page = engineer.get(address).text
    assert "Looking at what was sent" in page
    (run,) = rows(Run)
    engineer.change(f"/runs/{run.id}/cancel")
    assert "was stopped" in engineer.get(address).text
    assert engineer.get(f"/runs/{run.id}", follow_redirects=False).headers["location"] == address
    send(engineer, None, to=address)
    look()
    assert "18 pictures are sound" in engineer.get(address).text


@pytest.mark.usefixtures("sqlite")
def test_the_page_is_for_engineers_who_come_from_it(clinician: Browser, engineer: Browser, visitor: Browser) -> None:
    assert clinician.get(NEW).status_code == 403
    assert send(clinician, brought.folders()).status_code == 403
    assert visitor.get(NEW, follow_redirects=False).status_code == 303
    assert engineer.post(NEW, data=brought.FORM).status_code == 403
    assert 'href="/projects/new"' in engineer.get("/").text
    assert 'href="/projects/new"' not in clinician.get("/").text


@pytest.mark.usefixtures("sqlite")
def test_more_than_the_server_takes_is_refused(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch, as_role: Callable[[Role], Browser]
) -> None:
    monkeypatch.setenv("RIGHTREASONS_MAX_UPLOAD_BYTES", "5000")
    forget_settings()
    answer = send(as_role(Role.ENGINEER), brought.picture(0) * 40)
    assert answer.status_code == 413
    assert "Nothing was changed" in answer.text
    assert uploads(data_folder) == set()


@pytest.mark.usefixtures("sqlite")
def test_the_pages_take_few_statements(engineer: Browser) -> None:
    address = sent(engineer, brought.folders(), brought.weights())
    for page in (NEW, address, f"{address}/change"):
        with counted() as statements:
            assert engineer.get(page).status_code == 200
        assert len(statements) <= 5, "\n".join(statements)
