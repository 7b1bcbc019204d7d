from collections.abc import Callable

import pytest

from app.db import reading, transaction
from app.models import Role, User
from tests.app.cli.conftest import Done
from tests.factories import add_user

Command = Callable[..., Done]


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
