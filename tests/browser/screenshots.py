"""Pictures of every page in either theme, narrow and wide; ``make screenshots`` runs this file.

They are written to the folder that RIGHTREASONS_SCREENSHOTS names.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from app.db import transaction
from app.models import Kind as RunKind
from app.models import Project, Run, Stage, State
from app.runs.parameters import AnalysisParameters
from tests import factories
from tests.browser.conftest import Complaints
from tests.drawn import DIGITS
from tests.factories import Loop
from tests.trusted import add_bar, read_sample

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

FOLDER = Path(os.environ.get("RIGHTREASONS_SCREENSHOTS", "screenshots"))
WIDTHS = (390, 1440)
SCHEMES = ("light", "dark")


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


def picture(page: Page, name: str, width: int, scheme: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width} px"
    page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_picture_every_page(
    open_as: Callable[..., Page],
    new_page: Callable[..., Page],
    knees: Loop,
    digits: Loop,
    begun: tuple[Project, Run],
    empty: Project,
    complaints: Complaints,
    width: int,
    scheme: str,
) -> None:
    visitor = new_page(width, 900, scheme)
    visitor.goto("/sign-in")
    picture(visitor, "sign-in", width, scheme)
    page = open_as(knees.clinician, "/", width=width, scheme=scheme)
    for name, address in addresses(knees, digits, begun, empty).items():
        page.goto(address)
        picture(page, name, width, scheme)
        assert name == "error" or not complaints.heard, f"{name}: {complaints.heard}"
    complaints.heard.clear()  # the error page is one
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


def addresses(knees: Loop, digits: Loop, begun: tuple[Project, Run], empty: Project) -> dict[str, str]:
    project, run = begun
    knee, digit = f"/projects/{knees.project.id}", f"/projects/{digits.project.id}"
    one = f"analysis={knees.analysis.id}&class_id={knees.project.classes[1].id}"
    return {
        "projects": "/",
        "account": "/account",
        "api": "/api",
        "run": f"/runs/{run.id}",
        "behaviour": f"{knee}/behaviour",
        "behaviour-digits": f"{digit}/behaviour",
        "behaviour-start": f"{knee}/behaviour/new",
        "behaviour-under-way": f"/projects/{project.id}/behaviour",
        "behaviour-empty": f"/projects/{empty.id}/behaviour",
        "behaviour-pictures": f"{knee}/behaviour/pictures?{one}&region=0",
        "behaviour-picture": f"{knee}/behaviour/pictures/{knees.explanations[0].id}",
        "specification": f"{knee}/specification",
        "specification-digits": f"{digit}/specification",
        "specification-version": f"{knee}/specification/versions/1",
        "specification-examples": f"{knee}/specification/examples",
        "review-blind": f"{knee}/review",
        "review-digits": f"{digit}/review",
        "review-empty": f"/projects/{empty.id}/review",
        "trust-blind": f"{knee}/trust",
        "trust-digits": f"{digit}/trust",
        "trust-empty": f"/projects/{empty.id}/trust",
        "realign": f"{knee}/realign",
        "realign-pictures": f"{knee}/realign/pictures",
        "realign-empty": f"/projects/{empty.id}/realign",
        "compare": f"{knee}/compare",
        "compare-picture": f"{knee}/compare/{knees.realigned.id}/pictures/{knees.explanations[0].image_id}",
        "compare-pictures": f"{knee}/compare/{knees.realigned.id}/pictures",
        "compare-digits": f"{digit}/compare",
        "compare-empty": f"/projects/{empty.id}/compare",
        "error": f"{knee}/specification/versions/99",
    }


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
