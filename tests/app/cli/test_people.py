from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from app.db import reading, transaction
from app.models import Role, User
from tests.app.cli.conftest import Done
from tests.app.conftest import Browser
from tests.factories import add_user

Command = Callable[..., Done]
FIRST, SECOND = "a few plain words", "other plain words"


@pytest.fixture
def ada(sqlite: None) -> User:
    """The only administrator."""
    with transaction() as session:
        add_user(session, "grace", Role.ENGINEER)
        return add_user(session, "ada", Role.ADMIN)


def found(name: str) -> User:
    with reading() as session:
        return session.query(User).filter_by(name=name).one()


def test_a_role_is_changed(rightreasons: Command, ada: User) -> None:
    assert rightreasons("user", "role", "grace", "clinician").out == "grace has the role clinician from now on.\n"
    assert found("grace").role is Role.CLINICIAN


def test_an_account_is_switched_off_and_on_again(rightreasons: Command, ada: User) -> None:
    assert rightreasons("user", "off", "Grace").code == 0
    assert not found("grace").active
    assert "grace: engineer, switched off" in rightreasons("user", "list").out
    assert rightreasons("user", "on", "grace", "--json").document == {"name": "grace", "active": True}
    assert found("grace").active


@pytest.mark.parametrize("command", [("role", "ada", "engineer"), ("off", "ada")])
def test_one_administrator_remains(rightreasons: Command, ada: User, command: tuple[str, ...]) -> None:
    refused = rightreasons("user", *command)
    assert (refused.code, "ada is the only administrator." in refused.err) == (1, True)
    assert (found("ada").role, found("ada").active) == (Role.ADMIN, True)
    rightreasons("user", "role", "grace", "admin")
    assert rightreasons("user", *command).code == 0


def test_an_unknown_name_is_told(rightreasons: Command, ada: User) -> None:
    assert "There is no account bob." in rightreasons("user", "off", "bob").err


@pytest.fixture
def anew(rightreasons: Command) -> None:
    """Ada, added by a command, on an installation without accounts."""
    added = rightreasons("user", "add", "ada", "--role", "admin", "--password", FIRST, "--json")
    assert added.document == {"name": "ada", "role": "admin"}


def signs_in(visitor: Browser, password: str) -> bool:
    visitor.cookies.clear()
    visitor.get("/sign-in")
    return visitor.change("/sign-in", data={"name": "ada", "password": password}).status_code == 303


def test_the_accounts_are_listed(rightreasons: Command, anew: None) -> None:
    assert rightreasons("user", "list").out == "ada: admin\n"
    assert rightreasons("user", "list", "--json").document == [{"name": "ada", "role": "admin", "active": True}]


def test_a_link_signs_in_once(rightreasons: Command, visitor: Browser, anew: None) -> None:
    address = urlsplit(rightreasons("user", "link", "ada", "--json").document["url"])
    link = f"{address.path}?{address.query}"
    assert visitor.get(link).status_code == 200
    assert "ada" in visitor.get("/account").text
    visitor.cookies.clear()
    assert visitor.get(link, follow_redirects=False).status_code != 303


def test_a_token_opens_the_api(rightreasons: Command, visitor: Browser, anew: None) -> None:
    token = rightreasons("user", "token", "ada", "--json").document["token"]
    assert visitor.get("/api/v1/projects", headers={"Authorization": f"Bearer {token}"}).json() == []


def test_a_password_is_changed(rightreasons: Command, visitor: Browser, anew: None) -> None:
    assert signs_in(visitor, FIRST)
    assert rightreasons("user", "password", "ada", "--password", SECOND, "--json").document == {"name": "ada"}
    assert not signs_in(visitor, FIRST)
    assert signs_in(visitor, SECOND)
