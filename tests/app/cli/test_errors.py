"""Whatever goes wrong is one sentence, with --json one document, and never a traceback."""

import sys
from collections.abc import Callable

import pytest

from app.db import transaction
from tests import factories
from tests.app.cli.conftest import Done
from worker.benchmarks.own_database import forget_settings


@pytest.fixture
def knees(sqlite: None) -> None:
    with transaction() as session:
        factories.whole_loop(session, per_class=1)


IMPORT = ("import", "checkpoint", __file__, "--project", "Knees", "--architecture", "mlp")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train", "--project", "Knees", "--epochs", "0"), "--epochs 0: Input should be greater than or equal to 1."),
        ((*IMPORT, "--size", "4"), "--size 4: Input should be greater than or equal to 8."),
        ((*IMPORT, "--size", "28", "--channels", "2"), "--channels 2: Input should be 1 or 3."),
        ((*IMPORT, "--size", "28", "--mean", "0.1,0.2"), "mean has 2 numbers, one for each of 3."),
        ((*IMPORT, "--size", "28", "--std", "1,0,1"), "--std 0.0: Input should be greater than 0."),
    ],
)
@pytest.mark.usefixtures("knees")
def test_an_option_that_cant_be_so_is_named(
    rightreasons: Callable[..., Done], arguments: tuple[str, ...], told: str
) -> None:
    refused = rightreasons(*arguments)
    assert (refused.code, refused.err) == (2, told + "\n")
    assert rightreasons(*arguments, "--json").document == {"error": told}


@pytest.mark.parametrize(
    ("variable", "value", "command", "code", "told"),
    [
        ("PORT", "abc", ("projects",), 2, "RIGHTREASONS_PORT abc: Input should be a valid integer"),
        (
            "DATABASE_URL",
            "postgresql+psycopg://127.0.0.1:1/none",
            ("projects",),
            1,
            "The database can't do this",
        ),
        ("DATA", "/etc/passwd/data", ("projects",), 1, "The system refused: [Errno 20]"),
        ("HOST", "192.0.2.1", ("serve",), 1, "Nothing can listen at 192.0.2.1, port 8000: Cannot assign"),
        ("HOST", "no.such.invalid", ("serve",), 1, "Nothing can listen at no.such.invalid, port 8000"),
    ],
)
def test_an_environment_that_does_not_serve_is_told(
    rightreasons: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    command: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    monkeypatch.setenv(f"RIGHTREASONS_{variable}", value)
    forget_settings()
    refused = rightreasons(*command)
    assert refused.code == code
    assert refused.err.startswith(told)
    assert "Traceback" not in refused.err
    assert rightreasons(*command, "--json").document["error"].startswith(told)


def test_a_package_that_is_missing_is_named(rightreasons: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "worker.lvlm.embedded.train", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    refused = rightreasons("lvlm", "train")
    assert refused.code == 1
    assert refused.err.startswith("This needs the package torch;")
