"""Programs that carry a person's token."""

from collections.abc import Callable, Generator

import pytest
from fastapi.testclient import TestClient

from app.accounts.actions import create_token
from app.db import transaction
from app.models import Role, User
from tests.app.conftest import application
from tests.factories import add_user


@pytest.fixture
def call_as(stored: None) -> Generator[Callable[[Role | User], TestClient]]:
    """A program that carries the token of a person with that role."""
    opened: list[TestClient] = []

    def make(who: Role | User) -> TestClient:
        with transaction() as session:
            user = who if isinstance(who, User) else add_user(session, f"program-{who.value}", who)
            _, secret = create_token(session, user, "test")
        client = TestClient(application(), base_url="http://testserver", headers={"Authorization": f"Bearer {secret}"})
        client.base_url = client.base_url.join("/api/v1/")
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def program(call_as: Callable[..., TestClient]) -> TestClient:
    return call_as(Role.ENGINEER)


@pytest.fixture
def clinicians_program(call_as: Callable[..., TestClient]) -> TestClient:
    return call_as(Role.CLINICIAN)
