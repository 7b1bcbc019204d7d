import re
import socket
import time
from collections.abc import Callable, Generator

import pytest
from sqlalchemy import text

from app import config
from app.audit import routes
from app.audit.actions import note_check
from app.audit.chain import Checked, Link
from app.db import engine, now, transaction
from app.models import Kind, LVLMCall, Project, Role, State
from app.queue import CPU, send
from app.runs.parameters import AnalysisParameters
from app.system import findings
from tests import factories
from tests.app.conftest import Browser
from tests.factories import Loop, whole_loop
from worker.benchmarks.own_database import counted, forget_settings

ABROAD = "openai:qwen@https://gpu.example/v1"


@pytest.fixture
def admin(as_role: Callable[[Role], Browser]) -> Browser:
    return as_role(Role.ADMIN)


@pytest.fixture
def loop(stored: None) -> Loop:
    with transaction() as session:
        return whole_loop(session, per_class=2)


@pytest.fixture
def silent(stored: None, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """A broker that takes the call and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("RIGHTREASONS_BROKER_URL", f"redis://:secret@127.0.0.1:{listener.getsockname()[1]}/0")
        forget_settings()
        yield
    forget_settings()


def test_the_page_is_for_engineers_and_administrators(
    clinician: Browser, engineer: Browser, admin: Browser, visitor: Browser
) -> None:
    for address in ("/system", "/system/parts"):
        assert clinician.get(address).status_code == 403
        assert visitor.get(address, follow_redirects=False).status_code == 303
    assert 'href="/system"' in engineer.get("/").text
    assert 'href="/system"' not in clinician.get("/").text


def test_an_engineer_reads_nothing_about_people(engineer: Browser, admin: Browser) -> None:
    for_engineers, for_admins = engineer.get("/system").text, admin.get("/system").text
    for word in ('id="people"', 'id="audit"', "a-admin"):
        assert word in for_admins
        assert word not in for_engineers
    assert "newest schema" in for_engineers


def test_where_the_parts_lie_is_told_to_administrators_alone(engineer: Browser, admin: Browser) -> None:
    known = config.settings()
    for_engineers, for_admins = (each.get("/system/parts").text for each in (engineer, admin))
    for place in (engine().url.render_as_string(), str(known.data.resolve()), known.resolved_blob_url):
        assert place in for_admins
        assert place not in for_engineers
    assert "can be written and read" in for_engineers


def test_an_engineer_reads_the_size_of_the_database(engineer: Browser) -> None:
    for_engineers = engineer.get("/system").text
    assert "SQLite, " in for_engineers


@pytest.mark.usefixtures("database")
def test_the_page_takes_few_statements(admin: Browser, loop: Loop) -> None:
    with transaction() as session:
        for number in range(5):
            factories.add_project(session, f"Project {number}")
    with counted() as statements:
        assert admin.get("/system").status_code == 200
    assert len(statements) <= 12, "\n".join(statements)


@pytest.mark.usefixtures("database")
def test_where_pictures_go_is_told_by_host_with_what_went(
    admin: Browser, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nothing leaves" in admin.get("/system").text
    monkeypatch.setenv("RIGHTREASONS_LVLM_HOSTS", "gpu.example, spare.example")
    with transaction() as session:
        session.get_one(Project, loop.project.id).lvlm = ABROAD
        for images in (2, 3):
            session.add(
                LVLMCall(run_id=loop.critique.id, host="gpu.example", images=images, bytes=2**20, created_at=now())
            )
        session.add(LVLMCall(run_id=loop.critique.id, host="old.example", images=1, bytes=10, created_at=now()))
    config.settings.cache_clear()
    page = " ".join(admin.get("/system").text.split())
    assert "pictures may leave" in page
    row = page.split("<td>gpu.example</td>")[1].split("</tr>")[0]
    assert "yes" in row
    assert loop.project.name in row
    assert '<td class="number">2</td><td class="number">5</td><td class="number">2.0 MB</td>' in row
    assert "never" in page.split("<td>spare.example</td>")[1].split("</tr>")[0]
    assert "no</td>" in page.split("<td>old.example</td>")[1].split("</tr>")[0]
    assert f"/projects/{loop.project.id}/check" in page


def test_work_under_way_is_listed_with_who_asked_and_how_far_it_is(admin: Browser, loop: Loop) -> None:
    assert "Nothing runs and nothing waits." in admin.get("/system").text
    with transaction() as session:
        parameters = AnalysisParameters(checkpoint_id=loop.original.id)
        run = factories.add_run(session, loop.project, parameters, Kind.ANALYSIS, loop.engineer, State.RUNNING)
        run.done, run.total = 3, 40
    page = admin.get("/system").text
    assert f'href="/runs/{run.id}"' in page
    assert loop.engineer.display_name in page
    assert "3 of 40 images" in page


def test_a_silent_broker_holds_nothing_up(admin: Browser, silent: None) -> None:
    began = time.monotonic()
    assert "Asking broker, workers and store" in admin.get("/system").text
    assert time.monotonic() - began < 3
    began = time.monotonic()
    parts = admin.fragment("/system/parts").text
    assert time.monotonic() - began < 10
    assert "does not answer. <strong>Start Redis.</strong>" in parts
    assert "none answers. <strong>Start one: rightreasons worker, or serve.</strong>" in parts
    assert "not known while the broker is away" in parts
    assert "secret" not in parts
    assert "<html" not in parts
    assert "<html" in admin.get("/system/parts").text


def test_a_broker_without_workers_says_so_and_how_much_waits(broker: str, admin: Browser) -> None:
    assert send("worker.tasks.begin", ("x",), CPU)
    parts = admin.fragment("/system/parts").text
    assert "answers." in parts
    assert "none answers" in parts
    assert "1 wait for cpu, 0 wait for gpu" in parts


def test_a_queue_that_nobody_works_on_is_told() -> None:
    found = findings.workers({"a@host": ["cpu"]})
    assert (found.ok, found.found) == (False, "1 answers. None works on the queue gpu.")
    assert findings.workers({"a@host": ["cpu"], "b@host": ["gpu"]}).ok


def test_the_last_check_of_the_audit_log_is_told(admin: Browser, loop: Loop) -> None:
    assert "never checked" in admin.get("/system").text
    admin.fragment("/audit/verify")
    assert "whole</span> at the last check" in admin.get("/system").text
    assert "by a-admin" in admin.get("/system").text
    note_check(Checked(Link(4, "x"), done=True, broken="Entry 5 is missing.", number=5))
    assert "Entry 5 is missing." in admin.get("/system").text


def test_a_check_that_did_not_begin_at_the_first_entry_is_not_noted(admin: Browser, loop: Loop) -> None:
    admin.fragment("/audit/verify?after=3&followed=made-up")
    assert "never checked" in admin.get("/system").text


def test_a_check_in_portions_is_noted_at_its_end_alone(
    admin: Browser, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "CHECKED_AT_ONCE", 9)
    address, portions = "/audit/verify", 0
    while address:
        assert "never checked" in admin.get("/system").text
        more = re.search(r'hx-get="([^"]*)" hx-trigger="load"', admin.fragment(address).text)
        address = more.group(1).replace("&amp;", "&") if more else ""
        portions += 1
    assert portions > 1
    assert "at the last check" in admin.get("/system").text


def test_a_database_behind_its_schema_is_told_with_what_to_do(admin: Browser) -> None:
    with engine().begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '056028a4ce97'"))
    assert "is not at the newest schema. <strong>Run: rightreasons migrate.</strong>" in admin.get("/system").text
