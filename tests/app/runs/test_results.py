"""Results of runs may be long: a page loads what it shows of them."""

import re
from collections.abc import Callable

import pytest

from app.db import reading
from app.models import User
from app.runs.queries import results_of
from tests.app.conftest import Browser
from tests.factories import Loop
from worker.benchmarks.own_database import counted


@pytest.mark.usefixtures("database")
def test_parts_of_a_result_come_by_themselves(loop: Loop) -> None:
    with reading() as session:
        parts = ("lvlm", ("sampling", "random", "n"), "no such part", ("sampling", "no such part", "n"))
        assert list(results_of(session, loop.analysis.id, *parts)) == ["embedded", 80, None, None]


PAGES = {
    "behaviour": "/projects/{project}/behaviour",
    "pictures of a class": "/projects/{project}/behaviour/pictures?analysis={analysis}&class_id={target}",
    "pictures of a figure": "/projects/{project}/behaviour/pictures?analysis={analysis}&class_id={target}&region=0",
    "picture": "/projects/{project}/behaviour/pictures/{explanation}",
    "specification": "/projects/{project}/specification",
    "realign": "/projects/{project}/realign",
    "compare": "/projects/{project}/compare",
    "reliability": "/projects/{project}/review/{critique}/reliability",
    "differences": "/projects/{project}/review/{critique}/differences",
    "check": "/projects/{project}/check",
    "runs": "/projects/{project}/runs",
    "run": "/runs/{realignment}",
    "progress": "/runs/{realignment}/progress",
}


@pytest.mark.parametrize("address", PAGES.values(), ids=PAGES.keys())
def test_a_page_loads_no_whole_result(loop: Loop, signed_in: Callable[[User], Browser], address: str) -> None:
    ids = {
        "project": loop.project.id,
        "analysis": loop.analysis.id,
        "target": loop.project.classes[0].id,
        "explanation": loop.explanations[0].id,
        "critique": loop.critique.id,
        "realignment": loop.realignment.id,
    }
    engineer = signed_in(loop.engineer)  # nothing is kept from them, so that the page is whole
    with counted() as statements:
        assert engineer.get(address.format(**ids)).status_code == 200
    assert [each for each in statements if re.search(r"run(_\d)?\.result AS", each)] == []
