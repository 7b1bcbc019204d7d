import math
from collections.abc import Callable
from uuid import uuid4

import pytest

from app.db import transaction
from app.languages.figures import NARROW_SPACE
from app.models import Cluster, Explanation, User
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


def address(loop: Loop) -> str:
    return f"/projects/{loop.project.id}/behaviour/pictures/{loop.explanations[0].id}"


def test_a_picture_is_shown_large_with_the_figures_of_its_regions(loop: Loop, page: Browser) -> None:
    explanation = loop.explanations[0]
    with transaction() as session:
        session.get_one(Cluster, explanation.clusters[0].id).words = "<b>a letter</b>"
    with counted() as statements:
        text = page.get(f"{address(loop)}?analysis={loop.analysis.id}&region=0").text
    assert len(statements) <= 12, "\n".join(statements)
    assert f'data-cells="/pictures/explanations/{explanation.id}/cells"' in text
    assert f"/behaviour/pictures?analysis={loop.analysis.id}&amp;region=0" in text
    assert "&lt;b&gt;a letter&lt;/b&gt;" in text
    for cluster in explanation.clusters:
        assert f'<tr data-region="{cluster.number}">' in text
        assert cluster.place in text


def test_each_region_says_how_sure_the_model_is_without_it(loop: Loop, page: Browser) -> None:
    explanation = loop.explanations[0]
    position = next(each.position for each in loop.project.classes if each.id == explanation.image.class_id)
    with transaction() as session:
        session.get_one(Explanation, explanation.id).probabilities = [0.93 if i == position else 0.07 for i in range(2)]
        first, second, *_ = (session.get_one(Cluster, cluster.id) for cluster in explanation.clusters)
        first.effect, first.odds_fall = 0.52, math.log(19)
        second.effect, second.odds_fall = -0.03, None
    text = page.get(address(loop)).text.replace(NARROW_SPACE, " ")
    assert "<td>from 93 % to 41 %<br>" in text
    assert "odds fall: factor 19<" in text
    assert "<td>from 93 % to 96 %</td>" in text


def test_the_list_of_pictures_leads_to_each(loop: Loop, page: Browser) -> None:
    image = loop.explanations[0].image
    listed = f"/projects/{loop.project.id}/behaviour/pictures?analysis={loop.analysis.id}&class_id={image.class_id}"
    assert f'href="{address(loop)}?analysis=' in page.get(listed).text


def test_a_picture_of_another_project_is_not_shown(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        other = add_project(session, "Hips")
    start = f"/projects/{other.id}/behaviour/pictures"
    assert page.get(f"{start}/{loop.explanations[0].id}").status_code == 404
    assert page.get(f"{start}/{uuid4()}").status_code == 404
