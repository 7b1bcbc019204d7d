from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.app.cli.conftest import Done
from tests.app.conftest import Browser

FIRST, SECOND = "a few plain words", "other plain words"


@pytest.fixture(autouse=True)
def ada(rightreasons: Callable[..., Done]) -> None:
    added = rightreasons("user", "add", "ada", "--role", "admin", "--password", FIRST, "--json")
    assert added.document == {"name": "ada", "role": "admin"}


def signs_in(visitor: Browser, password: str) -> bool:
    visitor.cookies.clear()
    visitor.get("/sign-in")
    return visitor.change("/sign-in", data={"name": "ada", "password": password}).status_code == 303


def test_the_accounts_are_listed(rightreasons: Callable[..., Done]) -> None:
    assert rightreasons("user", "list").out == "ada: admin\n"
    assert rightreasons("user", "list", "--json").document == [{"name": "ada", "role": "admin", "active": True}]


def test_a_link_signs_in_once(rightreasons: Callable[..., Done], visitor: Browser) -> None:
    address = urlsplit(rightreasons("user", "link", "ada", "--json").document["url"])
    link = f"{address.path}?{address.query}"
    assert visitor.get(link).status_code == 200
    assert "ada" in visitor.get("/account").text
    visitor.cookies.clear()
    assert visitor.get(link, follow_redirects=False).status_code != 303


def test_a_token_opens_the_api(rightreasons: Callable[..., Done], visitor: Browser) -> None:
    token = rightreasons("user", "token", "ada", "--json").document["token"]
    assert visitor.get("/api/v1/projects", headers={"Authorization": f"Bearer {token}"}).json() == []


def test_a_password_is_changed(rightreasons: Callable[..., Done], visitor: Browser) -> None:
    assert signs_in(visitor, FIRST)
    assert rightreasons("user", "password", "ada", "--password", SECOND, "--json").document == {"name": "ada"}
    assert not signs_in(visitor, FIRST)
    assert signs_in(visitor, SECOND)
