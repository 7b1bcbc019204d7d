"""The command that asks the critic waits for the consensus that follows it; no worker runs, so that it does both."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Answer, Kind, Role, Run, State
from tests.app.cli.conftest import Done
from tests.factories import add_user
from tests.worker.tasks.judged import clusters_called, judged, people_say
from worker.tasks import characterise


@pytest.mark.usefixtures("sqlite")
def test_a_critique_ends_with_its_consensus_and_tells_whose_word_stands(
    rightreasons: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(characterise, "describing_network", lambda: None)
    case = judged(lvlm="none")
    with transaction() as session:
        add_user(session, "root", Role.ADMIN)
    letters, joints = clusters_called("letter"), clusters_called("joint space")
    people_say(case, dict.fromkeys(letters[:5], Answer.SPURIOUS) | dict.fromkeys(joints[:6], Answer.RELEVANT))
    done = rightreasons("critique", "--project", "Knees", "--json")
    assert done.code == 0, done.out + done.err
    by = done.document["by"]
    assert (by["review"], sum(by.values())) == (11, done.document["clusters"])
    assert by["probe"] > done.document["clusters"] / 2
    assert done.document["spurious"] > 0.7 * len(letters)
    with reading() as session:
        (consensus,) = session.scalars(select(Run).where(Run.kind == Kind.CONSENSUS))
    assert consensus.state is State.SUCCEEDED
    assert consensus.parameters["critique_id"] == done.document["run"]
