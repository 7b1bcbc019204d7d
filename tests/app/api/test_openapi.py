"""The OpenAPI document against the server: what schemathesis makes up must get an answer that the document promises."""

from typing import Any
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.accounts.actions import create_token
from app.db import transaction
from app.main import create_app
from app.models import Role
from tests import factories

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
FEW = settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def ids(sqlite: None) -> dict[str, UUID]:
    """Of things that exist: identifiers that are made up would all end in "not found"."""
    with transaction() as session:
        whole = factories.whole_loop(session, per_class=1)
    return {"project_id": whole.project.id, "run_id": whole.critique.id, "checkpoint_id": whole.realigned.id}


@pytest.fixture
def token(sqlite: None) -> str:
    with transaction() as session:
        return create_token(session, factories.add_user(session, "program", Role.ENGINEER), "schemathesis")[1]


def test_every_operation_answers_as_its_document_says(ids: dict[str, UUID], token: str) -> None:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", create_app())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 25
    for operation in operations:

        @FEW
        @given(case=operation.as_strategy())
        def answers(case: schemathesis.Case[Any]) -> None:
            case.path_parameters.update({name: str(ids[name]) for name in case.path_parameters if name in ids})
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

        answers()
