import json
import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.accounts.actions import create_token
from app.accounts.attempts import attempts
from app.audit import routes
from app.audit.queries import A_PAGE
from app.db import engine, reading, transaction
from app.main import create_app
from app.models import Action, ActorKind, AuditEntry, Project, Role, User
from tests.app.conftest import Browser
from tests.factories import PASSWORD, Loop, add_project, add_user, whole_loop
from worker.benchmarks.own_database import counted


@pytest.fixture
def admin(as_role: Callable[[Role], Browser]) -> Browser:
    return as_role(Role.ADMIN)


@pytest.fixture
def loop(stored: None) -> Loop:
    attempts.failures.clear()
    with transaction() as session:
        return whole_loop(session, per_class=2)


def entries(thing: str) -> list[AuditEntry]:
    with reading() as session:
        found = select(AuditEntry).where(AuditEntry.thing == thing).order_by(AuditEntry.number)
        return list(session.scalars(found))


def numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'id="entry-(\d+)"', page)]


@pytest.mark.parametrize("address", ["/audit", "/audit/verify", "/audit/export"])
def test_the_log_is_for_administrators_only(
    clinician: Browser, engineer: Browser, admin: Browser, visitor: Browser, address: str
) -> None:
    assert clinician.get(address).status_code == 403
    assert engineer.get(address).status_code == 403
    assert visitor.get(address, follow_redirects=False).status_code == 303
    assert admin.get(address).status_code == 200


def test_only_an_administrator_s_menu_leads_there(clinician: Browser, admin: Browser) -> None:
    assert 'href="/audit"' in admin.get("/").text
    assert 'href="/audit"' not in clinician.get("/").text


@pytest.mark.usefixtures("database")
def test_the_newest_entries_come_first_and_older_ones_page_by_page(admin: Browser) -> None:
    with transaction() as session:
        for number in range(A_PAGE):
            add_project(session, f"Project {number}")
    with reading() as session:
        all_of_them = sorted(session.scalars(select(AuditEntry.number)), reverse=True)
    seen, address = [], "/audit"
    while address:
        text = admin.get(address).text
        seen += numbers(text)
        more = re.search(r'href="(/audit\?[^"]*)">Older', text)
        address = more.group(1).replace("&amp;", "&") if more else ""
    assert seen == all_of_them


@pytest.mark.usefixtures("database")
def test_entries_are_chosen_by_who_what_project_and_date(admin: Browser, loop: Loop) -> None:
    with transaction() as session:
        other = add_project(session, "Other")
    chosen = admin.get(f"/audit?who=&what=project&project={other.id}&since=2020-01-01&until=").text
    assert numbers(chosen) == [entry.number for entry in entries("project") if entry.project_id == other.id]
    assert f'<option value="{other.id}" selected>' in chosen
    assert "No entries" in admin.get("/audit?until=2020-01-01").text
    mine = admin.get("/audit?who=a-admin").text
    assert "Signed in" not in mine
    assert numbers(mine)
    assert admin.get("/audit?project=no-id").status_code == 422
    everything = admin.get(f"/audit?project={loop.project.id}&what=review").text
    assert len(numbers(everything)) == min(A_PAGE, len(entries("review")))


def test_a_change_is_shown_as_what_went_and_what_came_and_never_as_markup(admin: Browser, loop: Loop) -> None:
    with transaction() as session:
        project = session.get_one(Project, loop.project.id)
        project.task = "Tells <script>alert(1)</script> whether a knee shows arthritis."
    text = admin.get("/audit?what=project").text
    assert "<script>alert" not in text
    assert "&lt;" in text
    assert "<ins>arthritis</ins>" in text
    assert "<del>osteoarthritis</del>" in text


@pytest.mark.usefixtures("database")
def test_the_id_of_what_was_added_is_told_once(admin: Browser, loop: Loop) -> None:
    text = admin.get(f"/audit?what=project&project={loop.project.id}").text
    assert text.count(f"<dt>id</dt><dd>{loop.project.id}</dd>") == 1
    assert text.count("<dt>id</dt>") == text.count("<dl")


def test_a_page_s_change_names_the_person_who_made_it(loop: Loop, signed_in: Callable[[User], Browser]) -> None:
    page = signed_in(loop.clinician)
    form = page.get(f"/projects/{loop.project.id}/review").text
    action = re.search(r'action="(/projects/[^"]*/review/[^"]*)"', form)
    assert action is not None
    cluster = re.search(r'name="cluster_id" value="([^"]*)"', form)
    assert cluster is not None
    before = len(entries("review"))
    answered = page.change(action.group(1), data={"cluster_id": cluster.group(1), "answer": "relevant"})
    assert answered.status_code in {200, 303}
    added = entries("review")[before:]
    assert [(each.who, each.actor, each.after["answer"], each.project_id) for each in added] == [
        (loop.clinician.name, ActorKind.PERSON, "relevant", loop.project.id)
    ]
    assert added[0].actor_id == loop.clinician.id


@pytest.mark.usefixtures("database")
def test_a_program_s_change_names_its_token_and_its_owner(loop: Loop) -> None:
    with transaction() as session:
        token, secret = create_token(session, session.get_one(User, loop.engineer.id), "nightly")
    with TestClient(create_app(), headers={"Authorization": f"Bearer {secret}"}) as program:
        project = {"name": "From a program", "classes": ["a", "b"]}
        assert program.post("/api/v1/projects", json=project).status_code == 201
    entry = entries("project")[-1]
    assert (entry.actor, entry.who, entry.actor_id) == (ActorKind.TOKEN, loop.engineer.name, loop.engineer.id)
    assert entry.token_id == token.id


@pytest.mark.usefixtures("database")
def test_a_sign_in_is_in_the_log_and_so_is_one_that_failed(visitor: Browser, loop: Loop) -> None:
    visitor.get("/sign-in")
    visitor.change("/sign-in", data={"name": " Mallory", "password": "a guess at it"})
    (refused,) = entries("sign-in")
    assert (refused.action, refused.actor, refused.who) == (Action.REFUSED, ActorKind.VISITOR, "")
    assert refused.after == {"name": "Mallory", "address": "testclient"}
    assert "a guess" not in json.dumps([refused.before, refused.after])
    visitor.change("/sign-in", data={"name": loop.clinician.name, "password": PASSWORD})
    entry = entries("user_account")[-1]
    assert (entry.who, entry.actor) == (loop.clinician.name, ActorKind.PERSON)
    assert "last_seen_at" in entry.after
    attempts.failures.clear()


def test_a_link_that_does_not_sign_in_is_in_the_log(visitor: Browser) -> None:
    visitor.get("/sign-in/link?token=made-up")
    (refused,) = entries("sign-in by link")
    assert refused.after["address"] == "testclient"


def test_tries_beyond_the_limit_are_not_even_looked_at_and_fill_no_log(visitor: Browser, loop: Loop) -> None:
    visitor.get("/sign-in")
    for _ in range(14):
        visitor.change("/sign-in", data={"name": "ada", "password": "a guess"})
    assert len(entries("sign-in")) == 10
    attempts.failures.clear()


@pytest.mark.usefixtures("database")
def test_a_wrong_password_for_a_signature_is_in_the_log_though_the_request_fails(loop: Loop) -> None:
    with transaction() as session:
        _, secret = create_token(session, session.get_one(User, loop.clinician.id), "mine")
    report = "00000000-0000-0000-0000-000000000000"
    asked = {
        "approved": True,
        "before_report_id": report,
        "after_report_id": report,
        "reason": "x",
        "password": "wrong",
    }
    with TestClient(create_app(), headers={"Authorization": f"Bearer {secret}"}) as program:
        assert program.post(f"/api/v1/checkpoints/{loop.realigned.id}/decisions", json=asked).status_code == 403
    (refused,) = entries("signature")
    assert (refused.who, refused.actor) == (loop.clinician.name, ActorKind.TOKEN)
    attempts.failures.clear()


def test_what_the_api_gives_out_is_in_the_log(loop: Loop) -> None:
    with transaction() as session:
        _, secret = create_token(session, session.get_one(User, loop.engineer.id), "nightly")
    with TestClient(create_app(), headers={"Authorization": f"Bearer {secret}"}) as program:
        assert program.get(f"/api/v1/checkpoints/{loop.original.id}/weights").status_code == 200
        assert program.get(f"/api/v1/projects/{loop.project.id}/reports").status_code == 200
        assert program.get("/api/v1/projects").status_code == 200
    with reading() as session:
        found = exported(session)
    assert [(entry.thing, entry.who) for entry in found] == [
        ("checkpoint", loop.engineer.name),
        ("report", loop.engineer.name),
    ]
    assert found[0].thing_id == loop.original.id
    assert found[0].project_id == loop.project.id


def exported(session: Session) -> list[AuditEntry]:
    mine = select(AuditEntry).where(AuditEntry.action == Action.EXPORTED).order_by(AuditEntry.number)
    return list(session.scalars(mine))


@pytest.mark.usefixtures("database")
def test_the_export_is_the_whole_log_with_itself_as_the_last_line(admin: Browser, loop: Loop) -> None:
    answer = admin.get("/audit/export")
    assert 'filename="audit-log.jsonl"' in answer.headers["content-disposition"]
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    last = lines[-1]
    assert (last["action"], last["thing"], last["who"]) == ("exported", "audit_entry", "a-admin")


@pytest.mark.usefixtures("database")
def test_the_button_checks_the_chain_portion_by_portion(
    admin: Browser, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "CHECKED_AT_ONCE", 7)
    with reading() as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1)).one()
    assert last.number > 14
    address, portions = f"/audit/verify?kept={last.hash}", 0
    while address:
        answer = admin.fragment(address).text
        more = re.search(r'hx-get="([^"]*)" hx-trigger="load"', answer)
        address = more.group(1).replace("&amp;", "&") if more else ""
        portions += 1
    assert portions == 1 + last.number // 7
    assert "The chain is whole" in answer
    assert f"the hash that you kept is that of entry {last.number:,}" in answer
    assert (
        "The hash that you kept is in no entry" in admin.fragment(f"/audit/verify?after={last.number}&kept=beef").text
    )


def test_the_button_finds_the_first_broken_entry(admin: Browser, loop: Loop) -> None:
    with engine().begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entry_is_not_changed"))
        connection.execute(text("UPDATE audit_entry SET who = 'nobody' WHERE number IN (5, 9)"))
    text_shown = admin.fragment("/audit/verify").text
    assert "The chain is broken at entry 5." in text_shown
    assert "<html" not in text_shown


def test_the_page_takes_few_statements(admin: Browser, loop: Loop) -> None:
    with counted() as statements:
        assert admin.get("/audit").status_code == 200
    assert len(statements) <= 6, "\n".join(statements)


def test_a_setting_of_the_request_does_not_leak_into_the_next_one(visitor: Browser, loop: Loop) -> None:
    with transaction() as session:
        add_user(session, "late")
    assert entries("user_account")[-1].actor is ActorKind.COMMAND
