"""The web server on a migrated database of the test's own, and people who are signed in to it."""

from collections.abc import Callable, Generator
from functools import cache
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from app.accounts.actions import sign_in_link
from app.accounts.attempts import attempts
from app.accounts.cookies import SESSION, VISITOR, csrf_token_of
from app.config import settings
from app.db import reading, transaction
from app.main import create_app
from app.models import Role, User
from tests.factories import Loop, add_user, whole_loop


class Browser(TestClient):
    """Sends the CSRF token with every change, as our pages do, and stays where a redirect leads."""

    @property
    def csrf(self) -> str:
        return csrf_token_of(self.cookies.get(SESSION) or self.cookies.get(VISITOR) or "")

    def change(self, address: str, **arguments: Any) -> Response:
        headers = {"X-CSRF-Token": self.csrf, **arguments.pop("headers", {})}
        return self.post(address, headers=headers, follow_redirects=False, **arguments)

    def fragment(self, address: str) -> Response:
        return self.get(address, headers={"HX-Request": "true"})


def application() -> FastAPI:
    """One for all tests of a process: it keeps nothing of a database, and making it takes longer than most tests."""
    return application_with(settings().max_upload_bytes)


@cache
def application_with(max_upload_bytes: int) -> FastAPI:
    """As ``create_app``: the one setting that it is made with tells one from another."""
    assert settings().max_upload_bytes == max_upload_bytes
    return create_app()


@pytest.fixture
def stored(request: pytest.FixtureRequest) -> None:
    """SQLite below the pages; both databases, one after the other, in a test that uses the fixture ``database``."""
    request.getfixturevalue("database" if "database" in request.fixturenames else "sqlite")


@pytest.fixture
def loop(stored: None) -> Loop:
    """A project that went round the loop once."""
    with transaction() as session:
        return whole_loop(session)


@pytest.fixture
def visitor(stored: None) -> Generator[Browser]:
    """A browser that nobody has signed in with."""
    attempts.failures.clear()
    with Browser(application()) as browser:
        yield browser


@pytest.fixture
def signed_in(stored: None) -> Generator[Callable[[User], Browser]]:
    """Makes a browser of a person's own."""
    opened: list[Browser] = []

    def sign_in(user: User) -> Browser:
        browser = Browser(application())
        with reading() as session:
            link = sign_in_link(session.get_one(User, user.id))  # the row as it stands: another sign-in changed it
        browser.get(link)
        assert SESSION in browser.cookies
        opened.append(browser)
        return browser

    yield sign_in
    for browser in opened:
        browser.close()


@pytest.fixture
def as_role(signed_in: Callable[[User], Browser]) -> Callable[[Role], Browser]:
    def sign_in_as(role: Role) -> Browser:
        with transaction() as session:
            user = add_user(session, f"a-{role.value}", role)
        return signed_in(user)

    return sign_in_as


@pytest.fixture
def clinician(as_role: Callable[[Role], Browser]) -> Browser:
    return as_role(Role.CLINICIAN)


@pytest.fixture
def engineer(as_role: Callable[[Role], Browser]) -> Browser:
    return as_role(Role.ENGINEER)
