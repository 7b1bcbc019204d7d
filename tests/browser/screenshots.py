"""Pictures of every page in either theme, narrow and wide; ``make screenshots`` runs this file.

They are written to the folder that RIGHTREASONS_SCREENSHOTS names.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from app.db import now, transaction
from app.models import Epoch, LVLMCall, Prediction, Project, Report, Role, Run, Stage, State, User
from app.models import Kind as RunKind
from app.runs.parameters import AnalysisParameters, RealignmentParameters
from tests import brought, factories
from tests.app.review.test_reliability import found, store
from tests.app.review.test_similar import add_consensus, otherwise
from tests.browser.conftest import Complaints
from tests.browser.pages import addresses, scrolls_sideways
from tests.browser.test_new_project import choose, look
from tests.checked import add_check, plant
from tests.drawn import DIGITS
from tests.factories import PASSWORD, Loop
from tests.second_round import explain, second_realignment
from tests.trusted import add_bar, read_sample

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

FOLDER = Path(os.environ.get("RIGHTREASONS_SCREENSHOTS", "screenshots"))
WIDTHS = (390, 1440)
SCHEMES = ("light", "dark")
EXTREMES = (320, 3840)
# German words are longer: they are looked at where that is felt, and where it is not.
GERMAN = ((390, "dark"), (1440, "light"))
either = pytest.mark.parametrize("scheme", SCHEMES)


@pytest.fixture
def knees(sqlite: None) -> Loop:
    with transaction() as session:
        made = factories.whole_loop(session, per_class=8)
        add_bar(session, made.project, least_kappa=0.6)
        read_sample(session, made.critique, factories.add_user(session, "bo"), wrong=8, cant_tell=2)
        return made


@pytest.fixture
def digits(knees: Loop) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session, "Digits", DIGITS, per_class=3, demo=True)


@pytest.fixture
def begun(digits: Loop) -> tuple[Project, Run]:
    """A project with nothing but a checkpoint whose explanation is under way."""
    with transaction() as session:
        project = factories.add_project(session, "Hips")
        checkpoint = factories.add_checkpoint(session, project)
        run = factories.add_run(
            session, project, AnalysisParameters(checkpoint_id=checkpoint.id), RunKind.ANALYSIS, state=State.RUNNING
        )
        run.stage, run.done, run.total = Stage.ATTRIBUTE, 62, 200
    return project, run


@pytest.fixture
def empty(begun: tuple[Project, Run]) -> Project:
    with transaction() as session:
        return factories.add_project(session, "Wrists")


@pytest.fixture
def keeper(digits: Loop) -> User:
    """An administrator, of whom a project asks an LVLM that was checked on planted cases."""
    with transaction() as session:
        project = session.get_one(Project, digits.project.id)
        project.lvlm = "openai:qwen2.5-vl@https://gpu.example/v1"
        add_check(session, project, passed=False)
        plant(session, digits, lvlm=project.lvlm)
        session.add(LVLMCall(run_id=digits.critique.id, host="gpu.example", images=40, bytes=2**21, created_at=now()))
        return factories.add_user(session, "keeper", Role.ADMIN, "Kim Keeper")


def picture(page: Page, name: str, width: int, scheme: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    page.wait_for_load_state("networkidle")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert not scrolls_sideways(page), f"{name} at {width} px"
    page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png", full_page=True)


@either
@pytest.mark.parametrize("width", WIDTHS)
def test_picture_every_page(
    open_as: Callable[..., Page],
    knees: Loop,
    digits: Loop,
    begun: tuple[Project, Run],
    empty: Project,
    complaints: Complaints,
    width: int,
    scheme: str,
) -> None:
    page = open_as(knees.clinician, "/", width=width, scheme=scheme)
    for name, address in addresses(knees, digits, begun, empty).items():
        page.goto(address)
        picture(page, name, width, scheme)
        assert not complaints.heard, f"{name}: {complaints.heard}"
    with transaction() as session:
        read_sample(session, knees.critique, knees.clinician, wrong=5, cant_tell=1)
    page.goto(f"/projects/{knees.project.id}/review")
    picture(page, "review-open", width, scheme)
    page.keyboard.press("?")
    picture(page, "review-keys", width, scheme)
    page.keyboard.press("Escape")
    page.goto(f"/projects/{knees.project.id}/review/{knees.critique.id}/disagreements")
    picture(page, "disagreements", width, scheme)
    page.get_by_role("link", name="Look").first.click()
    picture(page, "disagreement", width, scheme)
    for name in ("trust", "realign"):
        page.goto(f"/projects/{knees.project.id}/{name}")
        picture(page, f"{name}-locked", width, scheme)
    tried(page, knees)
    picture(page, "specification-tried", width, scheme)


@pytest.mark.parametrize(("width", "scheme"), GERMAN)
def test_picture_every_page_in_german(
    open_as: Callable[..., Page],
    knees: Loop,
    digits: Loop,
    begun: tuple[Project, Run],
    empty: Project,
    keeper: User,
    width: int,
    scheme: str,
) -> None:
    page = open_as(knees.clinician, "/", width=width, scheme=scheme, language="de")
    for name, address in addresses(knees, digits, begun, empty).items():
        page.goto(address)
        picture(page, f"{name}-de", width, scheme)
    page = open_as(keeper, "/", width=width, scheme=scheme, language="de")
    check = f"/projects/{digits.project.id}/check"
    for name, address in {
        "check": check,
        "audit": "/audit",
        "system": "/system",
        "new-project": "/projects/new",
    }.items():
        page.goto(address)
        picture(page, f"{name}-de", width, scheme)


@either
@pytest.mark.parametrize("width", WIDTHS)
def test_picture_what_engineers_and_administrators_see(
    open_as: Callable[..., Page], digits: Loop, keeper: User, width: int, scheme: str
) -> None:
    page = open_as(keeper, f"/projects/{digits.project.id}/check", width=width, scheme=scheme)
    picture(page, "check-honeypots", width, scheme)
    page.goto("/audit")
    picture(page, "audit", width, scheme)
    page.goto("/system")
    page.get_by_text("does not answer").first.wait_for()
    page.get_by_text("Add somebody").click()
    picture(page, "system", width, scheme)
    page.goto("/projects/new")
    picture(page, "new-project", width, scheme)
    for name, dataset in (("problems", brought.folders(("only",))), ("preview", brought.folders(per_class=6))):
        page.goto("/projects/new")
        page.get_by_label("Name", exact=True).fill("Knees of 2026")
        page.get_by_label("Architecture").fill("mlp")
        page.get_by_label("Side of its input").fill("16")
        page.get_by_label("It sees").select_option("grey")
        page.get_by_label("Mean").fill("0.5")
        page.get_by_label("Standard deviation").fill("0.5")
        choose(page, dataset)
        page.get_by_role("button", name="Look at what I send").click()
        page.get_by_text("Looking at what was sent").wait_for()
        look()
        page.get_by_role("link", name="See the result").click()
        picture(page, f"new-project-{name}", width, scheme)


@either
@pytest.mark.parametrize("width", WIDTHS)
def test_picture_what_comes_first_and_what_goes_wrong(
    open_as: Callable[..., Page],
    new_page: Callable[..., Page],
    knees: Loop,
    complaints: Complaints,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    scheme: str,
) -> None:
    behaviour = f"/projects/{knees.project.id}/behaviour"
    visitor = new_page(width, 900, scheme)
    visitor.goto("/sign-in")
    picture(visitor, "sign-in", width, scheme)
    visitor.goto(behaviour)
    picture(visitor, "sign-in-again", width, scheme)
    with transaction() as session:
        session.get_one(User, knees.clinician.id).toured_at = None
    page = open_as(knees.clinician, behaviour, width=width, scheme=scheme)
    page.get_by_role("button", name="Next").wait_for()
    picture(page, "tour", width, scheme)
    with page.expect_response("**/account/tour"):
        page.keyboard.press("Escape")
    ignore = page.get_by_label("The model should ignore").first
    page.goto(f"/projects/{knees.project.id}/specification")
    ignore.fill("the letter that lies beside the knee")
    page.context.set_offline(True)
    page.get_by_role("button", name="Save as version").click()
    page.get_by_text("What you wrote is still here").wait_for()
    picture(page, "not-reached", width, scheme)
    page.context.set_offline(False)
    page.context.clear_cookies()
    page.get_by_role("button", name="Save as version").click()
    page.get_by_label("Name").fill(knees.clinician.name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("What you wrote before is back").wait_for()
    picture(page, "put-back", width, scheme)
    monkeypatch.setattr("app.projects.routes.cards", None)
    for name, address in (("404", "/specification/versions/99"), ("403", "/system"), ("500", "/")):
        page.goto(address if name != "404" else f"/projects/{knees.project.id}{address}")
        picture(page, f"error-{name}", width, scheme)
    complaints.heard.clear()  # they are what was brought about


@either
@pytest.mark.parametrize("width", WIDTHS)
def test_picture_a_second_round(open_as: Callable[..., Page], knees: Loop, width: int, scheme: str) -> None:
    explain(knees)
    page = open_as(knees.clinician, "/", width=width, scheme=scheme)
    for name in ("behaviour", "specification", "compare"):
        page.goto(f"/projects/{knees.project.id}/{name}")
        picture(page, f"{name}-round-2", width, scheme)
    second_realignment(knees)
    for name in ("realign", "compare"):
        page.goto(f"/projects/{knees.project.id}/{name}")
        picture(page, f"{name}-after-round-2", width, scheme)


@either
@pytest.mark.parametrize("width", WIDTHS)
def test_picture_what_lies_behind_the_links(
    open_as: Callable[..., Page], knees: Loop, complaints: Complaints, width: int, scheme: str
) -> None:
    """What a clinician finds who has read blind, and work that is under way, has failed, or is signed."""
    here = f"/projects/{knees.project.id}"
    add_consensus(knees, **otherwise(knees.explanations[-1].clusters[0].id))
    store(knees, found(knees))
    with transaction() as session:
        read_sample(session, knees.critique, knees.clinician, wrong=1)
        report = session.scalars(select(Report).where(Report.checkpoint_id == knees.original.id)).first()
        wrong = session.scalars(select(Prediction.id).where(Prediction.correct.is_(False))).first()
    assert report is not None
    page = open_as(knees.clinician, "/", width=width, scheme=scheme)
    critique = f"{here}/review/{knees.critique.id}"
    for name, address in {
        "runs": f"{here}/runs",
        "check": f"{here}/check",
        "errors": f"{here}/behaviour/errors?report={report.id}&group=healthy,%20letter%20present",
        "error": f"{here}/behaviour/errors/{wrong}",
        "differences": f"{critique}/differences",
        "reliability": f"{critique}/reliability",
        "trust-open": f"{here}/trust",
        "realign-pictures-read": f"{here}/realign/pictures",
        "run-done": f"/runs/{knees.realignment.id}",
    }.items():
        page.goto(address)
        picture(page, name, width, scheme)
        assert not complaints.heard, f"{name}: {complaints.heard}"
    explain(knees)
    for name, rest in (("pictures-both", "pictures"), ("picture-both", f"pictures/{knees.explanations[0].image_id}")):
        page.goto(f"{here}/compare/{knees.realigned.id}/{rest}")
        picture(page, f"compare-{name}", width, scheme)
    page.goto(f"{here}/compare")
    page.get_by_label("Approve.").check()
    page.get_by_label("Reason").fill("The letter counts no more.")
    page.get_by_label("Your password again").fill(PASSWORD)
    page.get_by_role("button", name="Sign as Dr. Ada Reader").click()
    page.get_by_text("approved").first.wait_for()
    picture(page, "compare-signed", width, scheme)
    running = training(knees)
    for name in ("run-training", "run-failed"):
        page.goto(f"/runs/{running.id}")
        picture(page, name, width, scheme)
        fail(running)


def training(loop: Loop) -> Run:
    """A realignment after the third of its ten epochs."""
    with transaction() as session:
        parameters = RealignmentParameters(critique_id=loop.critique.id)
        run = factories.add_run(session, loop.project, parameters, RunKind.REALIGNMENT, loop.clinician, State.RUNNING)
        run.stage, run.done, run.total = Stage.REALIGN, 3, 10
        for number in range(1, 4):
            session.add(
                Epoch(run_id=run.id, number=number, figures={"loss": 1.4 / number, "accuracy": 0.7 + 0.04 * number})
            )
    return run


def fail(run: Run) -> None:
    with transaction() as session:
        failed = session.get_one(Run, run.id)
        failed.state, failed.finished_at = State.FAILED, now()
        failed.error = "The training diverged in epoch 4; lower the learning rate or the strength."
        failed.error_details = "FloatingPointError: loss is nan"


@either
@pytest.mark.parametrize("width", EXTREMES)
def test_picture_the_narrowest_and_the_widest(
    open_as: Callable[..., Page], knees: Loop, width: int, scheme: str
) -> None:
    page = open_as(knees.clinician, f"/projects/{knees.project.id}/behaviour", width, width * 9 // 16, scheme)
    picture(page, "behaviour", width, scheme)
    page.goto(f"/projects/{knees.project.id}/review")
    picture(page, "review-blind", width, scheme)
    with transaction() as session:
        read_sample(session, knees.critique, knees.clinician, wrong=5, cant_tell=1)
    page.reload()
    picture(page, "review-open", width, scheme)


def tried(page: Page, loop: Loop) -> None:
    """Tries the words on six pictures, with the answer that a worker would give."""
    page.goto(f"/projects/{loop.project.id}/specification")
    page.get_by_role("button", name="Try it").first.click()
    page.get_by_text("Asking the critic").wait_for()
    with transaction() as session:
        for run in session.query(Run).where(Run.kind == RunKind.TRIAL):
            ids = run.parameters["explanation_ids"]
            factories.finish_trial(run, [each for each in loop.explanations if str(each.id) in ids])
    page.get_by_text("With these words").wait_for()
