"""Once round the loop as a clinician goes who has never been here, from the sign-in link to the signed decision."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import func, select

from app.accounts.actions import sign_in_link
from app.db import reading, transaction
from app.models import Checkpoint, Epoch, Role, Run, Specification, State, User
from app.runs.actions import start_run
from app.runs.parameters import AnalysisParameters, CritiqueParameters, RealignmentParameters
from tests import factories
from tests.browser.keyboard import Keyboard
from tests.factories import PASSWORD
from tests.left import leave_project
from tests.loop import done
from tests.worker.lvlm.answering import Reply, completion, serving
from tests.workers import StartWorker, kill
from worker.benchmarks.own_database import forget_settings
from worker.tasks.here import run_here

pytestmark = pytest.mark.browser
MINUTE = 60_000
EPOCHS = 100  # many parts of ten, so that the worker is killed between the first and the last
SAID = "\n".join(f"{number}: a letter in a corner; named as spurious; spurious" for number in range(1, 7))


@pytest.fixture
def lvlm(sqlite: None, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """The name of one that calls every region spurious."""
    with serving(Reply(body=completion(SAID, {"spurious": 0.9, "relevant": 0.1}))) as server:
        monkeypatch.setenv("RIGHTREASONS_LVLM_HOSTS", "127.0.0.1")
        forget_settings()
        yield f"openai:reader@{server.url}"


@pytest.fixture
def newcomer(sqlite: None) -> User:
    with transaction() as session:
        user = factories.add_user(session, "ada", Role.CLINICIAN, "Dr. Ada Reader")
        user.toured_at = None
        return user


def how_many(where: Locator) -> str:
    """How many cases are left; how many of them are uncertain may change with each consensus."""
    return (where.text_content() or "").rpartition("·")[2].strip()


def see_result(page: Page) -> None:
    """Waits for the work that the page tells of, and follows where it leads."""
    link = page.get_by_role("link", name="See the result")
    expect(link).to_be_visible(timeout=2 * MINUTE)
    link.click()


def test_a_clinician_goes_round_with_the_mouse(  # noqa: PLR0915  a story is read from its beginning to its end
    new_page: Callable[..., Page],
    open_as: Callable[..., Page],
    newcomer: User,
    lvlm: str,
    start_worker: StartWorker,
    tmp_path: Path,
) -> None:
    start_worker()
    leave_project(tmp_path, lvlm)
    page = new_page()

    # The link that the engineer sent opens the list of projects, and that the project; five bubbles tell of the steps.
    page.goto(sign_in_link(newcomer))
    page.get_by_role("link", name="Knees").click()
    for _ in range(4):
        page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Done").click()

    # Understand: the model is explained, and every sentence opens its pictures.
    page.get_by_label("How many pictures").fill("12")
    page.get_by_text("as many of every class").click()
    page.get_by_role("button", name="Explain the model").click()
    see_result(page)
    expect(page.get_by_role("heading", name="What the model looks at")).to_be_visible()
    page.locator("a.figure").first.click()
    expect(page.locator(".gallery figure").first).to_be_visible()

    # Specify: the same words for both classes, saved as the first version, and the critic reads under it.
    page.get_by_role("link", name="Specify", exact=False).first.click()
    for place in range(2):
        page.get_by_label("The model should ignore").nth(place).fill("a letter in a corner")
        page.get_by_label("The model should use").nth(place).fill("the joint space")
    page.get_by_role("button", name="Save as version 1").click()
    page.get_by_role("button", name="Ask the critic").click()
    see_result(page)

    # Review: first blind, with nothing of the critic's on the page; then with its words.
    where = page.locator("#where")
    expect(where).to_contain_text("First reading, case 1 of")
    sample = int((where.text_content() or "").split(" of ")[1].split()[0])
    for case in range(1, sample + 1):
        expect(where).to_contain_text(f"case {case} of {sample}")
        expect(page.get_by_text("a letter in a corner; named as spurious")).to_have_count(0)
        page.get_by_role("button", name="Spurious" if case % 3 else "Can’t tell").click()
    expect(where).to_contain_text("left")
    expect(page.get_by_text("named as spurious").first).to_be_visible()
    left = how_many(where)
    page.get_by_role("button", name="Can’t tell").click()
    expect(where).not_to_contain_text(left)
    page.get_by_role("button", name="Undo").click()
    expect(where).to_contain_text(left)
    page.get_by_role("button", name="Spurious").click()
    expect(where).not_to_contain_text(left)

    # Trust: how far the judge agrees with what was read blind.
    page.get_by_role("link", name="And the judge itself?").click()
    expect(page.get_by_role("heading", name="How far can the judge be trusted?")).to_be_visible()
    expect(page.get_by_role("row", name="All classes").first).to_contain_text(str(sample))

    # Realign: the bar is written down, then the model is trained; the curves are live.
    page.get_by_role("link", name="Realign").first.click()
    page.get_by_label("The worst group rises by at least").fill("0")
    # A model of two epochs on drawn pictures may become worse: this bar lets it.
    for line in ("Right answers fall by at most", "No group falls by more than", "Answers that change without"):
        page.get_by_label(line).fill("100")
    page.get_by_label("Answers that are the same").fill("")
    page.get_by_text("Details for the engineer").click()
    page.get_by_label("Epochs").fill("2")
    page.get_by_role("button", name="Write down the bar and realign").click()
    see_result(page)

    # Decide: before and after, and a signature with the password.
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible()
    expect(page.get_by_role("img", name="Right answers by group before and after")).to_be_visible()
    page.get_by_text("Approve.").click()
    page.get_by_label("Reason").fill("It no longer reads the letter.")
    page.get_by_label("Your password again").fill(PASSWORD)
    page.get_by_role("button", name="Sign as Dr. Ada Reader").click()
    expect(page.locator("#decision .badge.met")).to_be_visible()

    # Export: the engineer takes out what was approved; the signature is inside.
    with transaction() as session:
        engineer = factories.add_user(session, "grace", Role.ENGINEER)
    beside = open_as(engineer, page.url)
    with beside.expect_download() as taken:
        beside.get_by_role("link", name="Download the approved weights").click()
    weights = taken.value.path().read_bytes()
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    assert header["__metadata__"]["rightreasons.signed_by"] == "Dr. Ada Reader"


def test_a_clinician_goes_round_with_the_keyboard_alone(  # noqa: PLR0915  a story is read from its beginning to its end
    new_page: Callable[..., Page], newcomer: User, lvlm: str, tmp_path: Path
) -> None:
    leave_project(tmp_path, lvlm)
    page = new_page()
    keyboard = Keyboard(page)

    # The tour is skipped with Escape.
    page.goto(sign_in_link(newcomer))
    keyboard.go("Knees")
    expect(page.get_by_role("region", name="The five steps, in short")).to_be_visible()
    page.keyboard.press("Escape")

    # Understand. While the model is explained the person waits on Cancel; the result takes its place.
    keyboard.write("How many pictures", "12")
    keyboard.to("Those the model is surest of")
    page.keyboard.press("ArrowDown")
    assert keyboard.focus().startswith("Those it is surest of, as many of every class")
    keyboard.go("Explain the model")
    wait_on_cancel(keyboard)
    expect(page.get_by_role("heading", name="What the model looks at")).to_be_visible()

    # Specify. A suggestion goes into its field with Enter, and Try it answers below its button.
    keyboard.go("Specify")
    for _ in range(2):
        keyboard.write("The model should ignore", "a letter in a corner")
        keyboard.write("The model should use", "the joint space")
    keyboard.press("Try it on six pictures")
    expect(page.get_by_text("Asking the critic")).to_be_visible()
    expect(page.get_by_role("button", name="Try it on six pictures").last).to_be_focused()
    work()
    expect(page.get_by_text("With these words the critic would say this")).to_be_visible()
    assert keyboard.focus() == "Try it on six pictures"
    keyboard.go("Save as version 1")
    keyboard.go("Begin the review")  # the next step, which every page's head leads to
    keyboard.go("Ask the critic")
    wait_on_cancel(keyboard)

    # Review. Some with the keys, some with the buttons, on which the focus stays from case to case.
    where = page.locator("#where")
    expect(where).to_contain_text("First reading, case 1 of")
    sample = int((where.text_content() or "").split(" of ")[1].split()[0])
    keyboard.to("Can’t tell")
    for case in range(1, sample + 1):
        expect(where).to_contain_text(f"case {case} of {sample}")
        page.keyboard.press("Enter" if case % 3 == 0 else "s")
    expect(page.get_by_text("named as spurious").first).to_be_visible()
    left = how_many(where)
    page.keyboard.press("t")
    expect(where).not_to_contain_text(left)
    page.keyboard.press("u")
    expect(where).to_contain_text(left)
    assert keyboard.focus().startswith("Can’t tell")
    keyboard.go("And the judge itself?")
    expect(page.get_by_role("heading", name="How far can the judge be trusted?")).to_be_visible()

    # Realign.
    keyboard.go("Realign")
    keyboard.write("The worst group rises by at least", "0")
    for line in ("Right answers fall by at most", "No group falls by more than", "Answers that change without"):
        keyboard.write(line, "100")
    keyboard.write("Answers that are the same", "0")
    keyboard.press("Details for the engineer")
    keyboard.write("Epochs", "2")
    keyboard.go("Write down the bar and realign")
    wait_on_cancel(keyboard)

    # Decide.
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible()
    keyboard.press("Approve.", "Space")
    keyboard.write("Reason", "It no longer reads the letter.")
    keyboard.write("Your password again", PASSWORD)
    keyboard.go("Sign as Dr. Ada Reader")
    expect(page.locator("#decision .badge.met")).to_be_visible()


def wait_on_cancel(keyboard: Keyboard) -> None:
    """With the focus on the button that the work's end takes away, then on to the result."""
    keyboard.to("Cancel")
    work()
    expect(keyboard.page.get_by_role("link", name="See the result")).to_be_focused()
    assert keyboard.focus().startswith("See the result")
    with keyboard.page.expect_navigation():
        keyboard.page.keyboard.press("Enter")


def work() -> None:
    """As a worker does, until nothing is left."""
    while True:
        with reading() as session:
            waiting = session.scalars(select(Run.id).where(Run.state == State.QUEUED)).all()
        if not waiting:
            return
        for run_id in waiting:
            run_here(run_id)


def test_a_worker_that_is_killed_is_told_and_its_work_goes_on(
    open_as: Callable[..., Page], newcomer: User, lvlm: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker()
    project_id = leave_project(tmp_path, lvlm)
    with reading() as session:
        checkpoint_id = session.scalars(select(Checkpoint.id)).one()
    analysis = done(project_id, AnalysisParameters(checkpoint_id=checkpoint_id, count=12))
    with transaction() as session:
        specification = Specification(project_id=project_id, version=1)
        session.add(specification)
    critique = done(project_id, CritiqueParameters(analysis_id=analysis.id, specification_id=specification.id))
    with transaction() as session:
        parameters = RealignmentParameters(critique_id=critique.id, epochs=EPOCHS, batch_size=4, control=False)
        run_id = start_run(session, project_id, parameters, newcomer.id).id
    page = open_as(newcomer, f"/runs/{run_id}")
    expect(page.get_by_role("img", name="Loss:")).to_be_visible(timeout=MINUTE)
    kill(worker)
    expect(page.get_by_text("what is done is kept; if none runs")).to_be_visible(timeout=MINUTE)
    kept = done_epochs(run_id)
    assert 0 < kept < EPOCHS
    start_worker()
    see_result(page)
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible()
    assert done_epochs(run_id) == EPOCHS


def done_epochs(run_id: UUID) -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(Epoch).where(Epoch.run_id == run_id)) or 0
