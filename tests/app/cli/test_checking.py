import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.db import reading, transaction
from app.models import LVLMCheck
from tests import factories
from tests.app.cli.conftest import Done
from tests.worker.lvlm.answering import Reply, Server, completion, serving
from worker.benchmarks.own_database import forget_settings
from worker.tasks.cases import loaded_lvlm

SAID = "\n".join(f"{number}: a thing; named as spurious; spurious" for number in range(1, 5))
FEW = ("--domain", "digits", "--cases", "4")


@pytest.fixture
def server(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("RIGHTREASONS_LVLM_HOSTS", "127.0.0.1")
    monkeypatch.setenv("RIGHTREASONS_LVLM_REQUESTS_PER_MINUTE", "600000")
    forget_settings()
    loaded_lvlm.cache_clear()
    body = json.loads(completion(SAID, {"spurious": 0.9, "relevant": 0.1}))
    body["usage"] = {"prompt_tokens": 1000, "completion_tokens": 10}
    with serving(Reply(body=json.dumps(body).encode())) as here:
        yield here
    loaded_lvlm.cache_clear()


def test_one_that_does_not_pass_is_told_by_what_it_failed_and_by_the_exit_code(
    server: Server, rightreasons: Callable[..., Done], tmp_path: Path
) -> None:
    file = tmp_path / "check.json"
    name = f"openai:m@{server.url}"
    done = rightreasons("lvlm", "check", name, *FEW, "--json", str(file), "--price-in", "2", "--price-out", "10")
    assert done.code == 1, done.err
    last = done.out.strip().splitlines()[-1]
    assert last.startswith("digits: NOT PASSED. ")
    assert "Does it listen?" in last
    assert "Does it look?" in last
    tokens = len(server.requests)
    assert f"{tokens * 1000:,} tokens read, {tokens * 10:,} written, {tokens * 0.0021:.4f} at your price" in " ".join(
        done.out.split()
    )
    kept = json.loads(file.read_text())
    assert kept["lvlm"] == name
    assert [line["key"] for line in kept["domains"][0]["lines"]][:2] == ["balanced", "listens"]
    with reading() as session:
        assert session.query(LVLMCheck).all() == []


def test_a_projects_check_is_kept(server: Server, rightreasons: Callable[..., Done]) -> None:
    with transaction() as session:
        factories.add_project(session, lvlm=f"openai:m@{server.url}")
    assert rightreasons("lvlm", "check", "--project", "Knees", *FEW).code == 1
    with reading() as session:
        assert [kept.passed for kept in session.query(LVLMCheck)] == [False]


def test_what_cannot_be_checked_is_refused_in_a_sentence(rightreasons: Callable[..., Done]) -> None:
    assert "teeth is none of digits, radiograph, skin." in rightreasons("lvlm", "check", "--domain", "teeth").err
    assert "not both" in rightreasons("lvlm", "check", "embedded", "--project", "Knees").err
    assert "is none of: none, embedded" in rightreasons("lvlm", "check", "llava").err
