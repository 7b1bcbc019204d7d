import json
import re
from collections.abc import Callable
from io import BytesIO
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.accounts.actions import switch_off, switch_on
from app.accounts.attempts import attempts
from app.db import transaction
from app.models import (
    AgreedVerdict,
    Answer,
    Cluster,
    Kind,
    Review,
    Role,
    Run,
    Source,
    State,
    Token,
    User,
    Verdict,
    VerdictValue,
)
from app.runs.parameters import CalibrationParameters, ConsensusParameters
from app.storage import storage
from tests import factories
from tests.app.conftest import Browser
from tests.factories import PASSWORD, Loop, add_user

CHECKPOINT = {
    "name": "mine",
    "architecture": "small_cnn",
    "size": "48",
    "channels": "1",
    "mean": "0.5",
    "std": "0.5",
    "classes": ["healthy", "osteoarthritis"],
}


@pytest.fixture
def whole(stored: None) -> Loop:
    attempts.failures.clear()
    with transaction() as session:
        return factories.whole_loop(session, per_class=5)


def test_every_address_of_the_api_asks_for_a_token(visitor: Browser) -> None:
    operations = [
        (method, re.sub(r"{\w+}", str(uuid4()), path))
        for path, methods in visitor.get("/api/v1/openapi.json").json()["paths"].items()
        for method in methods
    ]
    assert len(operations) > 25
    for method, path in operations:
        for headers in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic YTpi"}):
            answer = visitor.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"


def test_a_signed_in_browser_has_no_way_into_the_api(engineer: Browser) -> None:
    assert engineer.get("/api/v1/projects").status_code == 401


def test_a_token_stands_until_it_is_taken_back_or_its_owner_is_switched_off(call_as: Callable[..., TestClient]) -> None:
    for end in ("revoke", "switch off", "on again"):
        with transaction() as session:
            user = add_user(session, f"owner-{len(end)}", Role.CLINICIAN)
        client = call_as(user)
        assert client.get("me").json()["name"] == user.name
        if end == "revoke":
            assert client.delete(f"tokens/{client.get('tokens').json()[0]['id']}").status_code == 204
        else:
            with transaction() as session:
                switch_off(session, session.get_one(User, user.id))
                if end == "on again":
                    switch_on(session, session.get_one(User, user.id))
        assert client.get("me").status_code == 401


def test_a_tokens_use_is_noted(program: TestClient) -> None:
    program.get("me")
    with transaction() as session:
        assert session.scalars(select(Token)).one().last_used_at is not None


def test_a_token_makes_another_that_is_shown_once(program: TestClient) -> None:
    made = program.post("tokens", json={"name": "second"}).json()
    assert made["token"].startswith("rr_")
    assert "token" not in program.get("tokens").json()[1]
    assert program.get("me", headers={"Authorization": f"Bearer {made['token']}"}).status_code == 200


def test_a_project_is_made_and_found_again(program: TestClient) -> None:
    asked = {"name": "Knees", "task": "Tells whether", "classes": ["healthy", "sick"]}
    made = program.post("projects", json=asked)
    assert made.status_code == 201
    assert [each["name"] for each in made.json()["classes"]] == ["healthy", "sick"]
    assert program.get(f"projects/{made.json()['id']}").json() == made.json()
    again = program.post("projects", json=asked)
    assert (again.status_code, "already" in again.json()["detail"]) == (409, True)
    assert program.get(f"projects/{made.json()['id']}/loop").json()["next_action"] == "Add images and a checkpoint"


def test_mistakes_are_told_by_their_field(program: TestClient) -> None:
    answer = program.post("projects", json={"name": "", "classes": ["one"], "colour": "red"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()["errors"]
    assert {each.split(":")[0] for each in told} == {"name", "classes", "colour"}


def test_an_upload_becomes_an_import_run(program: TestClient, whole: Loop) -> None:
    answer = program.post(
        f"projects/{whole.project.id}/datasets", data={"name": "more"}, files={"file": ("more.zip", b"zipped")}
    )
    assert answer.status_code == 202
    run = answer.json()
    assert (run["kind"], run["state"]) == ("import", "queued")
    assert storage().get(run["parameters"]["blob"]) == b"zipped"


def test_an_upload_may_be_larger_than_a_form_but_not_without_limit(program: TestClient, whole: Loop) -> None:
    address = f"projects/{whole.project.id}/datasets"
    large = program.post(address, data={"name": "more"}, files={"file": ("more.zip", BytesIO(b"x" * 2**21))})
    assert large.status_code == 202
    assert program.post("projects", content=b"x" * 2**21).status_code == 413


def test_weights_become_a_registration_run(program: TestClient, whole: Loop) -> None:
    address = f"projects/{whole.project.id}/checkpoints"
    answer = program.post(address, data=CHECKPOINT, files={"file": ("weights.safetensors", b"weights")})
    assert answer.status_code == 202, answer.text
    assert answer.json()["parameters"]["input"] == {"size": 48, "channels": 1, "mean": [0.5], "std": [0.5]}
    for wrong in ({"size": "4"}, {"mean": ["0.5", "0.5"]}, {"std": "0"}, {"std": "nan"}):
        refused = program.post(address, data=CHECKPOINT | wrong, files={"file": ("w", b"w")})
        assert (refused.status_code, "The input can't be so" in refused.json()["detail"]) == (422, True)
    foreign = program.post(address, data=CHECKPOINT | {"parent_id": str(uuid4())}, files={"file": ("w", b"w")})
    assert "no such checkpoint" in foreign.json()["detail"]


def test_a_clinician_can_not_touch_data_sets_and_checkpoints(clinicians_program: TestClient, whole: Loop) -> None:
    start = f"projects/{whole.project.id}"
    training = {"kind": "training", "parameters": whole_training()}
    measuring = {"kind": "evaluation", "parameters": {"checkpoint_ids": [str(whole.original.id)]}}
    with transaction() as session:
        parameters = factories.training_parameters()
        trained = factories.add_run(session, whole.project, parameters, Kind.TRAINING, state=State.RUNNING)
    answers = [
        clinicians_program.post("projects", json={"name": "x", "classes": ["a", "b"]}),
        clinicians_program.post(f"{start}/datasets", data={"name": "x"}, files={"file": ("x", b"x")}),
        clinicians_program.post(f"{start}/checkpoints", data=CHECKPOINT, files={"file": ("x", b"x")}),
        clinicians_program.post(f"{start}/runs", json=training),
        clinicians_program.post(f"{start}/runs", json=measuring),
        clinicians_program.post(f"runs/{trained.id}/cancel"),
        clinicians_program.get(f"checkpoints/{whole.original.id}/weights"),
    ]
    for answer in answers:
        assert answer.status_code == 403
        assert "you are signed in as a clinician" in answer.json()["detail"]
    realignment = {"kind": "realignment", "parameters": {"critique_id": str(whole.critique.id)}}
    assert clinicians_program.post(f"{start}/runs", json=realignment).status_code == 202


def whole_training() -> dict[str, object]:
    parameters: dict[str, object] = json.loads(factories.training_parameters().model_dump_json())
    return parameters


@pytest.mark.usefixtures("database")
def test_work_of_any_kind_is_started_followed_and_stopped(program: TestClient, whole: Loop) -> None:
    start = f"projects/{whole.project.id}/runs"
    checkpoint, critique = str(whole.original.id), str(whole.critique.id)
    asked = {
        "analysis": {"checkpoint_id": checkpoint},
        "critique": {"analysis_id": str(whole.analysis.id), "specification_id": str(whole.specification.id)},
        "realignment": {"critique_id": critique},
        "consensus": {"critique_id": critique},
        "evaluation": {"checkpoint_ids": [checkpoint]},
        "training": whole_training(),
    }
    for kind, parameters in asked.items():
        answer = program.post(start, json={"kind": kind, "parameters": parameters})
        assert answer.status_code == 202, answer.text
        run = program.get(f"runs/{answer.json()['id']}").json()
        assert (run["kind"], run["state"]) == (kind, "queued")
        assert program.post(f"runs/{run['id']}/cancel").json()["state"] == "cancelled"
    assert len(program.get(start, params={"kind": "analysis"}).json()) == 2
    assert len(program.get(start, params={"count": 1}).json()) == 1


def test_a_run_takes_nothing_from_another_project(program: TestClient, whole: Loop) -> None:
    with transaction() as session:
        other = factories.add_project(session, "Other")
    ids = {"analysis_id": str(whole.analysis.id), "specification_id": str(whole.specification.id)}
    trial = {
        "analysis_id": ids["analysis_id"],
        "entries": [],
        "explanation_ids": [str(whole.explanations[0].id)],
    }
    asked = {
        "analysis": {"checkpoint_id": str(whole.original.id)},
        "critique": ids,
        "trial": trial,
        "realignment": {"critique_id": str(whole.critique.id)},
        "consensus": {"critique_id": str(whole.critique.id)},
        "evaluation": {"checkpoint_ids": [str(whole.original.id)]},
    }
    for kind, parameters in asked.items():
        answer = program.post(f"projects/{other.id}/runs", json={"kind": kind, "parameters": parameters})
        assert answer.status_code == 422, kind
        assert "Nothing was started." in answer.json()["detail"]
    mine = trial | {"explanation_ids": [str(uuid4())]}
    answer = program.post(f"projects/{whole.project.id}/runs", json={"kind": "trial", "parameters": mine})
    assert "no such image" in answer.json()["detail"]
    of_none = {"kind": "trial", "parameters": trial | {"explanation_ids": []}}
    assert program.post(f"projects/{whole.project.id}/runs", json=of_none).status_code == 422
    with transaction() as session:
        assert session.scalars(select(Run).where(Run.state == State.QUEUED)).all() == []


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("import", {"name": "passwords", "path": "/etc"}),
        ("import", {"name": "passwords", "blob": "../../rightreasons.sqlite3"}),
        ("registration", {"name": "key", "weights": "../../secret_key"}),
    ],
)
def test_only_an_upload_begins_the_reading_of_a_file(
    program: TestClient, whole: Loop, kind: str, parameters: dict[str, str]
) -> None:
    answer = program.post(f"projects/{whole.project.id}/runs", json={"kind": kind, "parameters": parameters})
    assert (answer.status_code, "are uploaded to" in answer.json()["detail"]) == (422, True)
    with transaction() as session:
        assert session.scalars(select(Run).where(Run.state == State.QUEUED)).all() == []


def test_verdicts_tell_the_judge_and_what_stands(program: TestClient, whole: Loop) -> None:
    with transaction() as session:
        flagged = session.scalars(select(Verdict)).first()
        assert flagged is not None
        flagged.flag = "It names this as spurious."
    verdicts = program.get(f"runs/{whole.critique.id}/verdicts").json()
    with transaction() as session:
        clusters = {str(each.id): each for each in session.scalars(select(Cluster))}
    covered = {each["cluster_id"]: (each["effect"], each["odds_fall"]) for each in verdicts}
    assert covered == {name: (each.effect, each.odds_fall) for name, each in clusters.items()}
    assert len(verdicts) == len(clusters)
    flags = {each["cluster_id"]: each["flag"] for each in verdicts if each["flag"]}
    assert flags == {str(flagged.cluster_id): "It names this as spurious."}
    assert {each["stands"] == each["value"] for each in verdicts} == {True}
    assert program.get(f"runs/{whole.critique.id}/verdicts", params={"first": 1, "count": 2}).json() == verdicts[1:3]
    assert program.get(f"runs/{whole.analysis.id}/verdicts").status_code == 422


@pytest.mark.usefixtures("database")
def test_verdicts_tell_whose_word_stands_with_its_probability_and_why(program: TestClient, whole: Loop) -> None:
    address = f"runs/{whole.critique.id}/verdicts"
    first, second, third = (each["cluster_id"] for each in program.get(address).json()[:3])
    assert {each["source"] for each in program.get(address).json()} == {"judge"}
    with transaction() as session:
        parameters = ConsensusParameters(critique_id=whole.critique.id)
        run = factories.add_run(session, whole.project, parameters, Kind.CONSENSUS)
        agreed = {"run_id": run.id, "kind": 0, "value": VerdictValue.SPURIOUS, "source": Source.PROBE, "place": 1}
        agreed["class_id"] = whole.project.classes[0].id
        for cluster in (first, second):
            of = session.get_one(Cluster, UUID(cluster)).explanation_id
            more = {"p_spurious": 0.93, "overruled": True, "reason_id": UUID(third), "nearest": [third]}
            session.add(AgreedVerdict(cluster_id=UUID(cluster), explanation_id=of, **agreed, **more))
        said = {"user_id": whole.clinician.id, "run_id": whole.critique.id, "blind": False}
        session.add(Review(cluster_id=UUID(second), answer=Answer.RELEVANT, **said))
    probed, reviewed, judged = program.get(address).json()[:3]
    assert (probed["stands"], probed["source"], probed["stands_p_spurious"]) == ("spurious", "probe", 0.93)
    assert (probed["overruled"], probed["reason_id"], probed["nearest"]) == (True, third, [third])
    assert (reviewed["stands"], reviewed["source"], reviewed["stands_p_spurious"]) == ("relevant", "review", 0)
    assert (judged["stands"], judged["source"]) == (judged["value"], "judge")
    assert (judged["stands_p_spurious"], judged["nearest"]) == (judged["p_spurious"], [])


@pytest.mark.usefixtures("database")
def test_where_judge_and_similar_clusters_differ_is_told_by_kind_and_only_after_the_blind_reading(
    clinicians_program: TestClient, program: TestClient, whole: Loop
) -> None:
    address = f"runs/{whole.critique.id}/differences"
    assert program.get(address).json()["whole"] is None
    found = {"clusters": 20, "differ": 15, "judged_spurious": 0.1, "found_spurious": 0.85, "reviewed": 2}
    with transaction() as session:
        parameters = ConsensusParameters(critique_id=whole.critique.id)
        run = factories.add_run(session, whole.project, parameters, Kind.CONSENSUS)
        run.result = {
            "difference": found,
            "kinds": [found | {"kind": 4, "name": "letter"}],
            "fell_back": "",
            "looks": [],
        }
    told = program.get(address).json()
    assert (told["whole"]["differ"]["value"], told["whole"]["differ"]["n"]) == (0.75, 20)
    (kind,) = told["kinds"]
    assert (kind["kind"], kind["name"], kind["regions"], kind["asks_for_reviews"]) == (4, "letter", 20, True)
    assert clinicians_program.get(address).status_code == 409
    for result in (
        clinicians_program.get(f"runs/{run.id}").json()["result"],
        clinicians_program.get(f"projects/{whole.project.id}/runs", params={"kind": "consensus"}).json()[0]["result"],
    ):
        assert result == {"fell_back": "", "looks": []}


@pytest.mark.usefixtures("database")
def test_how_sure_a_judge_rightly_is_stays_out_of_its_runs(
    clinicians_program: TestClient, program: TestClient, whole: Loop
) -> None:
    with transaction() as session:
        parameters = CalibrationParameters(critique_id=whole.critique.id)
        run = factories.add_run(session, whole.project, parameters, Kind.CALIBRATION)
        run.result = {"reliability": {"bins": [0.5]}, "fitted": True}
    for caller in (clinicians_program, program):
        assert caller.get(f"runs/{run.id}").json()["result"] == {"fitted": True}


@pytest.mark.usefixtures("database")
def test_a_reader_sees_verdicts_only_after_the_blind_reading(
    clinicians_program: TestClient, program: TestClient, whole: Loop
) -> None:
    address = f"runs/{whole.critique.id}"
    closed = clinicians_program.get(f"{address}/verdicts")
    assert (closed.status_code, "blind reading" in closed.json()["detail"]) == (409, True)
    clusters = sorted(each["cluster_id"] for each in program.get(f"{address}/verdicts").json())
    for cluster_id in clusters:
        answer = {"cluster_id": cluster_id, "answer": "spurious"}
        given = clinicians_program.post(f"{address}/reviews", json=answer)
        assert given.status_code == 201, given.text
    reviews = clinicians_program.get(f"{address}/reviews").json()
    assert {review["blind"] for review in reviews} == {True, False}
    assert reviews[0]["blind"]
    verdicts = clinicians_program.get(f"{address}/verdicts").json()
    assert {(each["stands"], each["reviewed"]) for each in verdicts} == {("spurious", True)}
    assert clinicians_program.post(f"{address}/reviews/undo").json()["answer"] == "withdrawn"


@pytest.mark.usefixtures("database")
def test_a_specification_speaks_of_every_class_and_is_followed_not_changed(program: TestClient, whole: Loop) -> None:
    address = f"projects/{whole.project.id}/specifications"
    entries = [{"class_name": name, "spurious": "letters"} for name in ("healthy", "osteoarthritis")]
    made = program.post(address, json={"entries": entries, "reason": "shorter"})
    assert (made.status_code, made.json()["version"]) == (201, 2)
    assert program.post(address, json={"entries": entries}).json()["version"] == 2
    assert [each["version"] for each in program.get(address).json()] == [2, 1]
    for wrong in (entries[:1], [*entries, entries[0]], [{"class_name": "other"}, entries[0]]):
        refused = program.post(address, json={"entries": wrong})
        assert refused.status_code == 422
        assert "each class once" in refused.json()["detail"]


@pytest.mark.usefixtures("database")
def test_reports_and_epochs_are_read(program: TestClient, whole: Loop) -> None:
    address = f"projects/{whole.project.id}/reports"
    of_one = program.get(address, params={"checkpoint_id": str(whole.realigned.id), "split": "test"}).json()
    assert len(of_one) == 1
    assert of_one[0]["figures"]["accuracy"]["n"] > 0
    assert len(program.get(f"runs/{whole.realignment.id}/epochs").json()) == 8
    assert program.get(f"checkpoints/{whole.realigned.id}").json()["parent_id"] == str(whole.original.id)
    assert len(program.get(f"projects/{whole.project.id}/checkpoints").json()) == 3
    assert len(program.get(f"projects/{whole.project.id}/datasets").json()) == 1
    weights = program.get(f"checkpoints/{whole.realigned.id}/weights")
    assert weights.content == storage().get(whole.realigned.weights)


@pytest.mark.usefixtures("database")
def test_what_the_model_looks_at_is_read_with_the_clusters_behind_it(program: TestClient, whole: Loop) -> None:
    found = program.get(f"runs/{whole.analysis.id}/summaries").json()
    assert found.keys() == {str(target.id) for target in whole.project.classes}
    known = {(str(each.id), cluster.number) for each in whole.explanations for cluster in each.clusters}
    named = [
        (each["explanation_id"], number)
        for told in found.values()
        for region in told["regions"]
        for each in region["evidence"]
        for number in each["numbers"]
    ]
    assert sorted(named) == sorted(known)
    assert all(any(part["evidence"] for part in said["parts"]) for told in found.values() for said in told["sentences"])
    assert program.get(f"runs/{whole.critique.id}/summaries").status_code == 422


def test_a_decision_asks_for_the_password(call_as: Callable[..., TestClient], whole: Loop) -> None:
    program = call_as(whole.clinician)
    address = f"checkpoints/{whole.realigned.id}/decisions"
    reports = program.get(f"projects/{whole.project.id}/reports", params={"split": "test"}).json()
    newest = {report["checkpoint_id"]: report["id"] for report in reversed(reports)}
    asked = {
        "approved": True,
        "reason": "It reads the joint.",
        "password": "wrong",
        "before_report_id": newest[str(whole.original.id)],
        "after_report_id": newest[str(whole.realigned.id)],
    }
    assert program.post(address, json=asked).status_code == 403
    other = {"password": PASSWORD, "before_report_id": asked["after_report_id"]}
    assert program.post(address, json=asked | other).status_code == 409
    signed = program.post(address, json=asked | {"password": PASSWORD})
    assert (signed.status_code, signed.json()["signed_name"]) == (201, "Dr. Ada Reader")
    assert program.get(f"projects/{whole.project.id}/decisions").json() == [signed.json()]
    original = f"checkpoints/{whole.original.id}/decisions"
    assert program.post(original, json=asked | {"password": PASSWORD}).status_code == 404


def test_what_fails_its_bar_is_not_approved(call_as: Callable[..., TestClient], whole: Loop) -> None:
    with transaction() as session:
        run = session.get_one(Run, whole.realignment.id)
        run.parameters = {**run.parameters, "bar": {**run.parameters["bar"], "worst_group_rises": 0.5}}
    program = call_as(whole.clinician)
    reports = program.get(f"projects/{whole.project.id}/reports", params={"split": "test"}).json()
    newest = {report["checkpoint_id"]: report["id"] for report in reversed(reports)}
    asked = {
        "approved": True,
        "reason": "It reads the joint.",
        "password": PASSWORD,
        "before_report_id": newest[str(whole.original.id)],
        "after_report_id": newest[str(whole.realigned.id)],
    }
    refused = program.post(f"checkpoints/{whole.realigned.id}/decisions", json=asked)
    assert (refused.status_code, "can’t be approved. Nothing was signed." in refused.text) == (409, True)
    rejected = program.post(f"checkpoints/{whole.realigned.id}/decisions", json=asked | {"approved": False})
    assert rejected.status_code == 201


def test_a_project_gets_only_an_lvlm_that_there_can_be(program: TestClient) -> None:
    asked = {"name": "Hands", "classes": ["left", "right"]}
    for wrong in ("llava", "openai:m@https://elsewhere.example/v1"):
        assert program.post("projects", json=asked | {"lvlm": wrong}).status_code == 422
    assert program.post("projects", json=asked).json()["lvlm"] == "none"


def test_what_does_not_exist_is_not_found(program: TestClient) -> None:
    for address in ("projects/{}", "projects/{}/runs", "runs/{}", "checkpoints/{}", "projects/{}/reports"):
        answer = program.get(address.format(uuid4()))
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("There is no such")


def test_the_page_of_the_api_lists_every_operation(clinician: Browser) -> None:
    text = clinician.get("/api").text
    for path in clinician.get("/api/v1/openapi.json").json()["paths"]:
        assert path in text
    assert Kind.IMPORT.value in text


def test_an_answer_to_a_planted_case_is_told_as_any_other_and_listed_with_none(
    clinicians_program: TestClient, program: TestClient, whole: Loop
) -> None:
    with transaction() as session:
        planted = factories.add_honeypots(session, whole, 1)[0]
        cluster_id = min(session.scalars(select(Cluster.id)))
    address = f"runs/{whole.critique.id}/reviews"
    told = [
        clinicians_program.post(address, json={"cluster_id": str(case), "answer": "can't tell"}).json()
        for case in (planted.id, cluster_id)
    ]
    assert [given["cluster_id"] for given in told] == [str(planted.id), str(cluster_id)]
    for name in ("run_id", "user_id", "answer", "blind"):
        assert told[0][name] == told[1][name]
    assert list(told[0]) == list(told[1])
    taken = [clinicians_program.post(f"{address}/undo").json() for _ in told]
    assert [(given["cluster_id"], given["answer"]) for given in taken] == [
        (given["cluster_id"], "withdrawn") for given in reversed(told)
    ]
    assert clinicians_program.get(address).status_code == 409
    assert {given["cluster_id"] for given in program.get(address).json()} == {str(cluster_id)}
    unknown = clinicians_program.post(address, json={"cluster_id": str(uuid4()), "answer": "spurious"})
    assert unknown.status_code == 404
