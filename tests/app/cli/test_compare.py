from collections.abc import Callable

import pytest
from sqlalchemy import delete, update

from app.db import transaction
from app.models import Report, Split
from tests import factories
from tests.app.cli.conftest import Done


@pytest.fixture(autouse=True)
def knees(sqlite: None) -> None:
    with transaction() as session:
        factories.whole_loop(session, per_class=1)


def test_before_control_and_after_stand_side_by_side(rightreasons: Callable[..., Done]) -> None:
    told = rightreasons("compare", "--project", "Knees")
    assert told.code == 0
    assert "Knees: test images" in told.out
    assert all(column in told.out for column in ("before", "control", "after", "worst group"))
    document = rightreasons("compare", "--project", "Knees", "--json").document
    assert list(document) == ["split", "before", "control", "after"]
    assert document["after"]["worst_group"]["value"] > document["before"]["worst_group"]["value"]


def test_without_test_images_the_validation_images_tell(rightreasons: Callable[..., Done]) -> None:
    with transaction() as session:
        session.execute(update(Report).values(split=Split.VALIDATION))
    assert "Knees: validation images" in rightreasons("compare", "--project", "Knees").out
    assert rightreasons("compare", "--project", "Knees", "--json").document["split"] == "validation"


def test_without_either_there_is_nothing_to_compare_on(rightreasons: Callable[..., Done]) -> None:
    with transaction() as session:
        session.execute(delete(Report))
    refused = rightreasons("compare", "--project", "Knees", "--json")
    assert refused.code == 1
    assert "neither test nor validation images" in refused.document["error"]
