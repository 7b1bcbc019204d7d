import json
import os
import subprocess
import sys
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import takewhile
from threading import Thread, Timer

import pytest

from app.cli.servers import web_child
from app.config import Settings
from tests.servers import free_port

SECONDS = 60.0


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Generator[int]:
    """Of a web server that says it is well."""
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_web_server_is_asked_without_the_proxy_of_the_environment(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    serves = web_child(Settings(host="127.0.0.1", port=port)).serves
    assert serves is not None
    assert serves()


@pytest.mark.parametrize(("command", "key"), [("web", "url"), ("worker", "queues")])
def test_each_server_prints_one_document_when_it_is_ready(broker: str, command: str, key: str) -> None:
    """So that a program which started it knows when to go on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", command, "--json"],
        env={**os.environ, "RIGHTREASONS_PORT": str(free_port()), "RIGHTREASONS_BROKER_URL": broker},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        late = Timer(SECONDS, process.kill)
        late.start()
        lines = list(takewhile(lambda line: line != "}\n", process.stdout))
        late.cancel()
        process.kill()
    assert key in json.loads("".join(lines) + "}")
