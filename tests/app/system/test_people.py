"""People and roles on the page System."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from app.accounts.actions import find_by_password
from app.accounts.attempts import attempts
from app.db import reading, transaction
from app.models import Action, AuditEntry, Role, User
from tests.app.conftest import Browser
from tests.factories import PASSWORD, add_user


@pytest.fixture
def admin(as_role: Callable[[Role], Browser]) -> Browser:
    attempts.failures.clear()
    return as_role(Role.ADMIN)


@pytest.fixture
def grace(stored: None) -> User:
    with transaction() as session:
        return add_user(session, "grace", Role.ENGINEER)


def found(name: str) -> User:
    with reading() as session:
        return session.scalars(select(User).where(User.name == name)).one()


def change(admin: Browser, user: User, do: str, role: str = "", password: str = PASSWORD):
    data = {"do": do, "password": password} | ({"role": role} if role else {})
    return admin.change(f"/system/users/{user.id}", data=data)


def add(admin: Browser, name: str, password: str = PASSWORD):
    data = {"name": name, "display_name": "<b>Hopper</b>", "role": "clinician", "password": password}
    return admin.change("/system/users", data=data)


def shown(page: str, element: str) -> str:
    match = re.search(f'<code id="{element}">([^<]*)</code>', page)
    assert match is not None
    return match.group(1).replace("&amp;", "&")


@pytest.mark.usefixtures("database")
def test_who_is_added_comes_in_once_by_a_link_and_then_with_the_first_password(
    admin: Browser, visitor: Browser
) -> None:
    page = add(admin, "Hopper")
    assert page.status_code == 200
    assert "<b>Hopper" not in page.text
    link, password = shown(page.text, "link"), shown(page.text, "first-password")
    where = urlsplit(link)
    assert visitor.get(f"{where.path}?{where.query}", follow_redirects=False).status_code == 303
    assert "Signs in as hopper" in visitor.get("/account").text
    with reading() as session:
        assert find_by_password(session, "hopper", password) is not None
    assert (found("hopper").role, found("hopper").display_name) == (Role.CLINICIAN, "<b>Hopper</b>")
    assert password not in admin.get("/system").text


def test_a_name_is_taken_once_and_what_was_typed_is_kept(admin: Browser, grace: User) -> None:
    page = add(admin, "grace")
    assert page.status_code == 422
    assert "already an account with the name grace" in page.text
    assert 'value="grace"' in page.text


@pytest.mark.usefixtures("database")
def test_a_role_is_changed_and_the_log_says_by_whom(admin: Browser, grace: User) -> None:
    assert change(admin, grace, "role", "clinician").status_code == 303
    assert found("grace").role is Role.CLINICIAN
    with reading() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc())).first()
    assert entry is not None
    assert (entry.who, entry.before, entry.after) == ("a-admin", {"role": "engineer"}, {"role": "clinician"})


@pytest.mark.parametrize("do", ["role", "off", "leave", "let-in"])
def test_nothing_is_changed_without_the_password(admin: Browser, grace: User, do: str) -> None:
    before = grace.session_key
    refused = change(admin, grace, do, "clinician", "a guess at it")
    assert refused.status_code == 422
    assert "That is not your password. Nothing was changed." in refused.text
    after = found("grace")
    assert (after.role, after.active, after.session_key) == (Role.ENGINEER, True, before)
    with reading() as session:
        told = session.scalars(select(AuditEntry).where(AuditEntry.action == Action.REFUSED)).one()
    assert (told.thing, told.who) == ("change of an account", "a-admin")
    assert add(admin, "hopper", "a guess at it").status_code == 422


def test_guesses_at_the_password_come_to_an_end(admin: Browser, grace: User) -> None:
    for _ in range(10):
        change(admin, grace, "off", password="a guess at it")
    assert "Too many wrong passwords" in change(admin, grace, "off").text
    assert found("grace").active
    attempts.failures.clear()


@pytest.mark.usefixtures("database")
def test_who_is_switched_off_is_out_at_once_and_comes_back_when_switched_on(
    admin: Browser, grace: User, signed_in: Callable[[User], Browser]
) -> None:
    hers = signed_in(grace)
    change(admin, grace, "off")
    assert hers.get("/account", follow_redirects=False).status_code == 303
    assert "switched off" in admin.get("/system").text
    change(admin, grace, "on")
    assert found("grace").active
    again = signed_in(grace)
    change(admin, grace, "leave")
    assert again.get("/account", follow_redirects=False).status_code == 303


def test_who_forgot_the_password_gets_another_and_the_old_one_is_void(admin: Browser, grace: User) -> None:
    page = change(admin, grace, "let-in").text
    with reading() as session:
        assert find_by_password(session, "grace", shown(page, "first-password")) is not None
        assert find_by_password(session, "grace", PASSWORD) is None


@pytest.mark.usefixtures("database")
def test_one_administrator_remains(admin: Browser) -> None:
    me = found("a-admin")
    for do, role in (("role", "clinician"), ("off", "")):
        refused = change(admin, me, do, role)
        assert (refused.status_code, "is the only administrator" in refused.text) == (422, True)
    assert (found("a-admin").role, found("a-admin").active) == (Role.ADMIN, True)


def test_only_administrators_change_people_and_only_from_our_pages(
    engineer: Browser, clinician: Browser, admin: Browser, grace: User
) -> None:
    for browser in (engineer, clinician):
        assert change(browser, grace, "off").status_code == 403
        assert add(browser, "mallory").status_code == 403
    data = {"do": "off", "password": PASSWORD}
    assert admin.post(f"/system/users/{grace.id}", data=data).status_code == 403
    assert found("grace").active
    assert change(admin, User(id="00000000-0000-0000-0000-000000000000"), "off").status_code == 404
