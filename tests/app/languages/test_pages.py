"""No page has a sentence that does not come from the catalogue."""

from collections.abc import Callable, Generator

import pytest

from app.db import reading, transaction
from app.languages import catalogue, stored
from app.languages.messages import Message
from app.models import Kind, Project, Role, Run, Stage, State, User
from app.runs.parameters import AnalysisParameters
from tests import factories
from tests.app.conftest import Browser
from tests.checked import add_check
from tests.drawn import DIGITS
from tests.factories import Loop
from tests.marked import Marked, bare_sentences, words_of_people
from tests.trusted import add_bar, read_sample

GERMAN = {"Accept-Language": "de"}


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setattr(catalogue, "read", lambda _: Marked())
    for kept in (catalogue.translations, stored.said_in):
        kept.cache_clear()
    yield
    for kept in (catalogue.translations, stored.said_in):
        kept.cache_clear()


@pytest.fixture
def knees(stored: None) -> Loop:
    with transaction() as session:
        made = factories.whole_loop(session, per_class=8)
        add_bar(session, made.project, least_kappa=0.6)
        add_check(session, made.project, passed=True)
        read_sample(session, made.critique, factories.add_user(session, "bo"), wrong=8, cant_tell=2)
        read_sample(session, made.critique, made.clinician, wrong=5, cant_tell=1)
        return made


@pytest.fixture
def digits(knees: Loop) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session, "Digits", DIGITS, per_class=3, demo=True)


@pytest.fixture
def begun(knees: Loop) -> tuple[Project, Run]:
    """A project with nothing but a checkpoint whose explanation is under way."""
    with transaction() as session:
        project = factories.add_project(session, "Hips")
        asked = AnalysisParameters(checkpoint_id=factories.add_checkpoint(session, project).id)
        run = factories.add_run(session, project, asked, Kind.ANALYSIS, state=State.RUNNING)
        run.stage, run.done, run.total = Stage.ATTRIBUTE, 62, 200
        failed = factories.add_run(session, project, asked, Kind.ANALYSIS, state=State.FAILED)
        failed.error = Message("This project has no training images to explain; import a data set first.")
    return project, run


def addresses(knees: Loop, digits: Loop, begun: tuple[Project, Run]) -> list[str]:
    project, run = begun
    one = f"analysis={knees.analysis.id}&class_id={knees.project.classes[1].id}"
    below = ("behaviour", "specification", "review", "trust", "realign", "compare", "runs", "check")
    return [
        "/",
        "/account",
        "/api",
        "/system",
        "/system/parts",
        "/audit",
        "/projects/new",
        f"/runs/{run.id}",
        *(f"/projects/{each.id}/{page}" for each in (knees.project, digits.project, project) for page in below),
        *(
            f"/projects/{knees.project.id}/{page}"
            for page in (
                "behaviour/new",
                f"behaviour/pictures?{one}",
                f"behaviour/pictures?{one}&region=0",
                f"behaviour/pictures?{one}&sentence=0&part=1",
                f"behaviour/pictures/{knees.explanations[0].id}",
                "specification/examples",
                "specification/versions/1",
                "specification/versions/99",
                "realign/pictures",
                f"compare/{knees.realigned.id}/pictures",
                f"compare/{knees.realigned.id}/pictures/{knees.explanations[0].image_id}",
                f"review/{knees.critique.id}/differences",
                f"review/{knees.critique.id}/reliability",
            )
        ),
    ]


def test_every_sentence_of_every_page_is_in_the_catalogue(
    signed_in: Callable[[User], Browser], knees: Loop, digits: Loop, begun: tuple[Project, Run], marked: None
) -> None:
    with transaction() as session:
        admin = factories.add_user(session, "ida", Role.ADMIN)
    browser = signed_in(admin)
    clinician = signed_in(knees.clinician)
    with reading() as session:
        words = words_of_people(session)
    bare = {}
    for reader in (clinician, browser):
        for address in addresses(knees, digits, begun):
            answer = reader.get(address, headers=GERMAN)
            assert answer.status_code in {200, 403, 404}, address
            if found := bare_sentences(answer.text, words):
                bare[address] = found
    assert not bare, "\n".join(f"{address}: {found}" for address, found in bare.items())


def test_a_stranger_reads_none_either(visitor: Browser, marked: None) -> None:
    for address in ("/sign-in", "/sign-in/link?token=wrong"):
        assert not bare_sentences(visitor.get(address, headers=GERMAN).text, ())


def test_what_stands_beside_the_catalogue_is_found() -> None:
    page = '<p>⟦Marked <b>%(x)s</b>⟧ bare <code>code</code> <img alt="a picture"> Knees</p><p lang="en">words</p>'
    assert bare_sentences(page, ["Knees"]) == ["bare", "a picture"]
