"""`rightreasons demo` as a newcomer runs it, on few digits and with a server's words in place of the LVLM's."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from sqlite3 import connect
from threading import Timer
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pytest

from app.cli.demo import NAME
from tests.digits import write_some_digits
from tests.servers import free_port
from tests.worker.lvlm.answering import Reply, completion, serving

SECONDS = 300.0
SAID = "\n".join(f"{number}: a grey square; named as spurious; spurious" for number in range(1, 7))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Its digits lie ready in the data folder, so that the demo does not write all 5,000."""
    digits = tmp_path / "demo-digits"
    digits.mkdir()
    write_some_digits(digits, every_training=60, every_other=50)
    known = {key: value for key, value in os.environ.items() if not key.startswith("RIGHTREASONS_")}
    with serving(Reply(body=completion(SAID, {"spurious": 0.9, "relevant": 0.1}))) as lvlm:
        yield {
            **known,
            "RIGHTREASONS_DATA": str(tmp_path),
            "RIGHTREASONS_PORT": str(free_port()),
            "RIGHTREASONS_WORKER_PROCESSES": "1",
            "RIGHTREASONS_LVLM": f"openai:m@{lvlm.url}",
            "RIGHTREASONS_LVLM_HOSTS": "127.0.0.1",
        }


def start(environment: dict[str, str], errors: Path, *options: str) -> subprocess.Popen[str]:
    with errors.open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", "demo", *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


@contextmanager
def demo(environment: dict[str, str], errors: Path, last_line: str, *options: str) -> Iterator[str]:
    """What it says up to that line; it is stopped with Ctrl-C afterwards."""
    with start(environment, errors, *options) as process:
        late = Timer(SECONDS, process.kill)
        late.start()
        said = ""
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if line.startswith(last_line):
                break
        assert late.is_alive(), said + errors.read_text()
        try:
            yield said
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            late.cancel()


def opened(link: str) -> str:
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
    with browser.open(link, timeout=10) as page:
        text: str = page.read().decode()
    return text


def test_the_demo_goes_round_once_and_then_starts_in_seconds(environment: dict[str, str], tmp_path: Path) -> None:
    errors = tmp_path / "errors.log"
    with demo(environment, errors, "The first account: demo, password") as said:
        assert "Building the demo project" in errors.read_text()
        assert f"{NAME}: test images" in said
        assert all(column in said for column in ("before", "control", "after", "worst group"))
        link = next(line for line in said.splitlines() if line.startswith("Sign in")).split()[-1]
        assert NAME in opened(link)
        with start(environment, tmp_path / "second.log") as second:
            assert second.wait(SECONDS) == 1
        port = environment["RIGHTREASONS_PORT"]
        assert f"Port {port} on 127.0.0.1 is taken by another program." in (tmp_path / "second.log").read_text()
    with demo(environment, errors, "}", "--json") as last:
        said = last
    document = json.loads(said)
    assert "Building" not in errors.read_text()
    assert document["comparison"]["split"] == "test"
    assert document["password"] == ""
    with closing(connect(tmp_path / "rightreasons.sqlite3")) as database:
        checks = database.execute("SELECT count(*) FROM run WHERE kind = 'check'").fetchone()
    assert checks == (1,)  # sent for at the first start, and not again while it goes on
