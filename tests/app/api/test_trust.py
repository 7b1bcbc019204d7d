from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Kind, Project, Role, Run, State, TrustBar
from app.models.run import MATERIAL
from app.trust.lock import record_of
from tests import factories
from tests.factories import Loop
from tests.trusted import add_bar, overridden, read_sample


@pytest.fixture
def whole(stored: None) -> Loop:
    with transaction() as session:
        made = factories.whole_loop(session)
        session.get_one(Project, made.project.id).created_by_id = made.engineer.id
        return made


def asked(whole: Loop, **parameters: str) -> dict[str, object]:
    return {"kind": "realignment", "parameters": {"critique_id": str(whole.critique.id), **parameters}}


def started() -> list[Run]:
    with reading() as session:
        return list(session.scalars(select(Run).where(Run.kind == Kind.REALIGNMENT, Run.state == State.QUEUED)))


def bars() -> list[TrustBar]:
    with reading() as session:
        return list(session.scalars(select(TrustBar).order_by(TrustBar.created_at)))


def test_a_locked_realignment_is_refused_with_its_reason(whole: Loop, program: TestClient) -> None:
    with transaction() as session:
        add_bar(session, whole.project)
    address = f"projects/{whole.project.id}/runs"
    for parameters in ({}, {"override": "I know better."}):
        answer = program.post(address, json=asked(whole, **parameters))
        assert answer.status_code == 409
        assert "At least 20 cases have to be read blind, and nobody has read one yet." in answer.json()["detail"]
        assert "Nothing was started." in answer.json()["detail"]
    assert started() == []
    with transaction() as session:
        read_sample(session, whole.critique, whole.clinician, wrong=1)
    assert program.post(address, json=asked(whole)).status_code == 202


def test_an_owner_overrides_with_a_reason(whole: Loop, call_as: Callable[..., TestClient]) -> None:
    with transaction() as session:
        add_bar(session, whole.project)
    answer = call_as(whole.engineer).post(
        f"projects/{whole.project.id}/runs", json=asked(whole, override="A rehearsal.")
    )
    assert answer.status_code == 202
    assert answer.json()["parameters"]["override"] == "A rehearsal."
    record = record_of(started()[0])
    assert record is not None
    assert record.overridden_by == "Grace Engineer"


def test_the_figures_and_the_lock_are_told(whole: Loop, program: TestClient) -> None:
    with transaction() as session:
        add_bar(session, whole.project)
        read_sample(session, whole.critique, whole.clinician, wrong=9)
    told = program.get(f"projects/{whole.project.id}/trust").json()
    assert told["critique_id"] == str(whole.critique.id)
    assert (told["whole"]["cases"], told["whole"]["kappa"]["value"]) == (24, 0.25)
    assert [each["name"] for each in told["classes"]] == ["healthy", "osteoarthritis"]
    assert told["bar"]["least_kappa"] == 0.4
    assert "a kappa of 0.25" in told["locked"]
    assert "specification" in told["unlock"]


def test_who_is_to_read_blind_is_told_nothing(
    whole: Loop, call_as: Callable[..., TestClient], clinicians_program: TestClient
) -> None:
    with transaction() as session:
        add_bar(session, whole.project)
        read_sample(session, whole.critique, whole.clinician, wrong=9)
        material = {"datasets": [], "spurious": {str(whole.explanations[0].id): [1]}}
        result = {"trust": overridden().model_dump(mode="json"), "images": 3, MATERIAL: material}
        session.get_one(Run, whole.realignment.id).result = result
    address = f"projects/{whole.project.id}"
    assert clinicians_program.get(f"{address}/trust").status_code == 409
    refused = clinicians_program.post(f"{address}/runs", json=asked(whole))
    assert refused.status_code == 409
    assert "0.25" not in refused.text
    assert clinicians_program.get(f"runs/{whole.realignment.id}").json()["result"] == {"images": 3}
    assert call_as(whole.clinician).get(f"{address}/trust").status_code == 200


def test_a_critique_of_another_project_has_no_trust_here(whole: Loop, program: TestClient) -> None:
    with transaction() as session:
        other = factories.whole_loop(session, "Other", per_class=1)
    address = f"projects/{whole.project.id}/trust"
    assert program.get(address, params={"critique_id": str(other.critique.id)}).status_code == 404
    assert program.get(address, params={"critique_id": str(whole.critique.id)}).status_code == 200


def test_an_owner_sets_the_bar(whole: Loop, program: TestClient, call_as: Callable[..., TestClient]) -> None:
    address, bar = f"projects/{whole.project.id}/trust/bars", {"least_kappa": 0.6, "reason": "Two readers agreed."}
    assert program.post(address, json=bar).status_code == 403
    owner = call_as(whole.engineer)
    made = owner.post(address, json=bar)
    assert made.status_code == 201
    assert (made.json()["locks"], made.json()["least_cases"]) == (True, 20)
    for wrong in ({"least_kappa": 2}, {"reason": " "}, {"colour": "red"}):
        assert owner.post(address, json={**bar, **wrong}).status_code == 422
    assert [each.least_kappa for each in bars()] == [0.6]


def test_a_project_made_by_a_program_has_a_bar_unless_it_says_otherwise(stored: None, program: TestClient) -> None:
    asked = {"name": "Hips", "classes": ["healthy", "broken"]}
    assert program.post("projects", json=asked).status_code == 201
    assert [(each.locks, each.least_kappa, each.least_cases) for each in bars()] == [(True, 0.4, 20)]
    assert program.post("projects", json={**asked, "name": "Wrists", "bar": None}).status_code == 201
    assert len(bars()) == 1


def test_an_administrator_may_too(whole: Loop, call_as: Callable[..., TestClient]) -> None:
    answer = call_as(Role.ADMIN).post(
        f"projects/{whole.project.id}/trust/bars", json={"locks": False, "reason": "No readers."}
    )
    assert (answer.status_code, answer.json()["locks"]) == (201, False)
