from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Role, Run, TrustBar
from app.trust.lock import record_of
from tests import factories
from tests.app.cli.conftest import Done
from tests.factories import Loop
from tests.trusted import add_bar, overridden, read_sample
from tests.worker.tasks import small


@pytest.fixture
def knees(sqlite: None) -> Loop:
    with transaction() as session:
        factories.add_user(session, "root", Role.ADMIN, "Root")
        return factories.whole_loop(session)


def bars() -> list[TrustBar]:
    with reading() as session:
        return list(session.scalars(select(TrustBar).order_by(TrustBar.created_at)))


def test_the_figures_are_told_with_whether_realignment_is_open(knees: Loop, rightreasons: Callable[..., Done]) -> None:
    told = rightreasons("trust", "--project", "Knees")
    assert told.code == 0, told.err
    assert "Realignment is open: no trust bar is set." in told.out
    with transaction() as session:
        add_bar(session, knees.project)
        read_sample(session, knees.critique, knees.clinician, wrong=9)
    assert "Realignment is locked. The judge agrees with blind readers to a kappa of 0.25" in " ".join(
        rightreasons("trust", "--project", "Knees").out.split()
    )
    document = rightreasons("trust", "--project", "Knees", "--json").document
    assert (document["All classes"]["cases"], document["All classes"]["kappa"]["value"]) == (24, 0.25)
    assert "0.25" in document["locked"]


@pytest.mark.usefixtures("knees")
def test_the_bar_is_set_and_switched_off_with_a_reason(rightreasons: Callable[..., Done]) -> None:
    missing = rightreasons("trust", "--project", "Knees", "--least-kappa", "0.6")
    assert (missing.code, "A bar needs its --reason." in missing.err) == (1, True)
    assert rightreasons("trust", "--project", "Knees", "--least-kappa", "0.6", "--reason", "Agreed.").code == 0
    assert rightreasons("trust", "--project", "Knees", "--off", "--reason", "No readers.").code == 0
    assert [(each.locks, each.least_kappa, each.least_cases) for each in bars()] == [(True, 0.6, 20), (False, 0.4, 20)]
    wrong = rightreasons("trust", "--project", "Knees", "--least-cases", "25", "--reason", "Agreed.")
    assert (wrong.code, "--least-cases 25" in wrong.err) == (2, True)


@pytest.mark.usefixtures("knees")
def test_nobody_but_an_owner_sets_it(rightreasons: Callable[..., Done]) -> None:
    refused = rightreasons("trust", "--project", "Knees", "--off", "--reason", "x", "--as", "knees-engineer")
    assert (refused.code, "or by an administrator" in refused.err) == (1, True)
    assert bars() == []


def test_a_locked_realignment_is_refused_and_can_be_overridden(rightreasons: Callable[..., Done], sqlite: None) -> None:
    project = small.add_project()
    critique = small.add_critique(project, small.add_checkpoint(project))
    with transaction() as session:
        session.get_one(Run, critique).result = {"lvlm": "embedded"}
        factories.add_user(session, "root", Role.ADMIN, "Root")
        add_bar(session, project)
    start = ("realign", "--project", "Knees", "--epochs", "1", "--no-control")
    refused = rightreasons(*start)
    assert refused.code == 1
    assert "At least 20 cases have to be read blind, and nobody has read one yet." in refused.err
    assert "--override" in refused.err
    done = rightreasons(*start, "--override", "A rehearsal.", "--json")
    assert done.code == 0, done.out + done.err
    with reading() as session:
        record = record_of(session.scalars(select(Run).where(Run.kind == "realignment")).one())
    assert record is not None
    assert (record.override, record.overridden_by) == ("A rehearsal.", "Root")
    compared = rightreasons("compare", "--project", "Knees")
    assert "Started all the same by Root: A rehearsal." in compared.out


def test_comparing_tells_of_an_override(knees: Loop, rightreasons: Callable[..., Done]) -> None:
    with transaction() as session:
        session.get_one(Run, knees.realignment.id).result = {"trust": overridden().model_dump(mode="json")}
    assert "Started all the same by Grace Engineer" in rightreasons("compare", "--project", "Knees").out
    document = rightreasons("compare", "--project", "Knees", "--json").document
    assert document["trust"]["override"] == "A rehearsal."
