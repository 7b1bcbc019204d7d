from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.check.honeypots import Score, newest_score
from app.db import reading, transaction
from app.models import Honeypot, Kind, Named, Project, Run, User, VerdictValue
from app.runs.parameters import HoneypotParameters
from app.storage import storage
from tests.app.conftest import Browser
from tests.factories import Loop, add_project, add_run, whole_loop
from tests.statements import counted

SPURIOUS, RELEVANT = VerdictValue.SPURIOUS, VerdictValue.RELEVANT
IGNORED, USED = Named


@pytest.fixture
def loop(stored: None) -> Loop:
    with transaction() as session:
        return whole_loop(session, per_class=2)


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def plant(loop: Loop, lvlm: str = "embedded", words: str = "a letter") -> list[Honeypot]:
    """Two copies: of what was to be ignored both are judged so, of what was to be used one."""
    with transaction() as session:
        project = session.get_one(Project, loop.project.id)
        run = add_run(session, project, HoneypotParameters(critique_id=loop.critique.id), Kind.HONEYPOT)
        run.result = {"lvlm": lvlm}
        made = [
            Honeypot(
                run_id=run.id,
                explanation_id=loop.explanations[copy].id,
                thing="letter",
                named=named,
                number=2,
                value=value,
                p_spurious=0.9,
                text=words,
                picture=storage().put(b"\x89PNG" + uuid4().bytes),
            )
            for copy, named, value in (
                (0, IGNORED, SPURIOUS),
                (0, USED, RELEVANT),
                (1, IGNORED, SPURIOUS),
                (1, USED, SPURIOUS),
            )
        ]
        session.add_all(made)
    return made


def score(loop: Loop) -> Score | None:
    with reading() as session:
        return newest_score(session, session.get_one(Project, loop.project.id))


@pytest.mark.usefixtures("database")
def test_both_sides_are_scored_with_their_n(loop: Loop) -> None:
    assert score(loop) is None
    plant(loop)
    found = score(loop)
    assert found is not None
    assert (found.caught.value, found.caught.n) == (1, 2)
    assert (found.spared.value, found.spared.n) == (0.5, 2)
    assert found.shown[0].value.value != found.shown[0].named.value


def test_what_another_lvlm_said_is_no_score_of_this_one(loop: Loop) -> None:
    plant(loop, lvlm="transformers:/models/llava")
    assert score(loop) is None


def test_the_page_shows_the_score_and_what_was_said_as_data(loop: Loop, page: Browser) -> None:
    address = f"/projects/{loop.project.id}/check"
    assert "Nothing was planted yet" in page.get(address).text
    made = plant(loop, words="<b>a letter</b>")
    shown = page.get(address).text
    assert "n = 2" in shown
    assert "&lt;b&gt;a letter" in shown
    assert "true: relevant" in shown
    picture = page.get(f"{address}/honeypots/{made[0].id}/picture")
    assert (picture.status_code, picture.content[:4]) == (200, b"\x89PNG")
    with counted() as statements:
        page.get(address)
    assert len(statements) <= 12, "\n".join(statements)


def test_a_planted_picture_is_given_to_its_own_project_alone(loop: Loop, page: Browser) -> None:
    made = plant(loop)
    with transaction() as session:
        other = add_project(session, "Hips")
    assert page.get(f"/projects/{other.id}/check/honeypots/{made[0].id}/picture").status_code == 404
    assert page.get(f"/projects/{loop.project.id}/check/honeypots/{uuid4()}/picture").status_code == 404


def test_honeypots_are_planted_in_the_pictures_of_a_critique_of_this_project(loop: Loop, page: Browser) -> None:
    address = f"/projects/{loop.project.id}/check/honeypots"
    assert page.change(address, data={"critique_id": str(loop.critique.id)}).status_code == 303
    assert page.change(address, data={"critique_id": str(loop.analysis.id)}).status_code == 404
    with reading() as session:
        runs = session.scalars(select(Run).where(Run.kind == Kind.HONEYPOT)).all()
    assert [run.parameters["critique_id"] for run in runs] == [str(loop.critique.id)]
    assert "Planting artefacts in copies of the pictures" in page.get(f"/projects/{loop.project.id}/check").text
    with transaction() as session:
        session.get_one(Project, loop.project.id).lvlm = "none"
    assert page.change(address, data={"critique_id": str(loop.critique.id)}).status_code == 409
