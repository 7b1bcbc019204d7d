from collections.abc import Callable

import pytest

from app.db import transaction
from app.models import LVLMCall
from tests import factories
from tests.app.cli.conftest import Done


@pytest.fixture
def loop(sqlite: None) -> factories.Loop:
    with transaction() as session:
        factories.whole_loop(session, "Hands", per_class=1)
        return factories.whole_loop(session, per_class=1)


@pytest.mark.usefixtures("loop")
def test_a_project_whose_pictures_stayed_here_has_no_calls(rightreasons: Callable[..., Done]) -> None:
    assert "No call of project Knees has left" in rightreasons("lvlm", "calls", "--project", "Knees").out
    assert rightreasons("lvlm", "calls", "--project", "Knees", "--json").document == []


def test_every_call_tells_when_where_for_what_and_how_much(
    loop: factories.Loop, rightreasons: Callable[..., Done]
) -> None:
    with transaction() as session:
        for images in (3, 0):
            session.add(LVLMCall(run_id=loop.critique.id, host="gpu.local", images=images, bytes=1000 + images))
            session.flush()
    newest, oldest = rightreasons("lvlm", "calls", "--project", "Knees", "--json").document
    assert newest.pop("at") >= oldest.pop("at")
    known = {"host": "gpu.local", "run": str(loop.critique.id), "kind": "critique"}
    assert (newest, oldest) == (known | {"images": 0, "bytes": 1000}, known | {"images": 3, "bytes": 1003})
    assert len(rightreasons("lvlm", "calls", "--project", "Knees", "--last", "1", "--json").document) == 1
    table = rightreasons("lvlm", "calls", "--project", "Knees").out
    assert "gpu.local" in table
    assert "1003" in table
    assert rightreasons("lvlm", "calls", "--project", "Hands", "--json").document == []
