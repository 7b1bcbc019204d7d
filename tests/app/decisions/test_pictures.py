from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.deps import find_project
from app.models import Checkpoint, Image, Split, User
from tests import factories
from tests.app.conftest import Browser
from tests.factories import Loop, add_project, whole_loop
from worker.benchmarks.own_database import counted


@pytest.fixture
def loop(stored: None) -> Loop:
    with transaction() as session:
        return whole_loop(session, per_class=2)


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def address(loop: Loop, image: Image) -> str:
    return f"/projects/{loop.project.id}/compare/{loop.realigned.id}/pictures/{image.id}"


def explain_after(loop: Loop) -> list[str]:
    """Explains the realigned checkpoint on the images of the first analysis; their ids."""
    with transaction() as session:
        project = find_project(session, loop.project.id)
        checkpoint = session.get_one(Checkpoint, loop.realigned.id)
        images = [session.get_one(Image, each.image_id) for each in loop.explanations]
        factories.add_analysis(session, project, checkpoint, images)
        return [str(image.id) for image in images]


def test_before_and_after_stand_side_by_side_with_their_answers(loop: Loop, page: Browser) -> None:
    with reading() as session:
        test_image = session.scalars(select(Image).where(Image.split == Split.TEST)).first()
    assert test_image is not None
    with counted() as statements:
        text = page.get(address(loop, test_image)).text
    assert len(statements) <= 12, "\n".join(statements)
    assert text.count(f'data-values="/pictures/images/{test_image.id}/values"') == 2
    assert text.count("says ") == 2
    assert text.count("Only training pictures are explained, and this is none (test).") == 2
    assert text.count(f'href="/projects/{loop.project.id}/compare/{loop.realigned.id}/pictures"') == 2
    assert 'name="opacity"' not in text


def test_regions_of_both_checkpoints_are_told_apart(loop: Loop, page: Browser) -> None:
    explain_after(loop)
    text = page.get(address(loop, loop.explanations[0].image)).text
    assert text.count("data-cells=") == 2
    for side in ("before", "after"):
        assert f'<tr data-region="{side}1">' in text
        assert f'data-side="{side}"' in text
    assert 'name="opacity"' in text


def test_what_both_checkpoints_were_explained_on_is_listed(loop: Loop, page: Browser) -> None:
    listed = f"/projects/{loop.project.id}/compare/{loop.realigned.id}/pictures"
    assert f'href="{listed}"' in page.get(f"/projects/{loop.project.id}/compare").text
    assert "No picture has been explained for both checkpoints" in page.get(listed).text
    images = explain_after(loop)
    explain_after(loop)  # twice, and yet each is shown once
    with counted() as statements:
        text = page.get(listed).text
    assert len(statements) <= 12, "\n".join(statements)
    assert text.count('and after"') == len(images)
    assert f"{listed}/{images[0]}" in text


def test_a_picture_of_another_project_is_not_shown(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        other = add_project(session, "Hips")
        checkpoint = factories.add_checkpoint(session, other)
    assert page.get(f"/projects/{loop.project.id}/compare/{loop.realigned.id}/pictures/{uuid4()}").status_code == 404
    assert page.get(f"/projects/{other.id}/compare/{checkpoint.id}/pictures/{loop.images[0].id}").status_code == 404
