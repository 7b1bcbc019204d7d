"""Real workers on the test's database and the session's broker."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from redis import Redis

from app import leash
from worker.benchmarks.own_database import forget_settings

StartWorker = Callable[[], subprocess.Popen[bytes]]
IMPATIENT = {"HEARTBEAT_SECONDS": "0.5", "LOST_AFTER_SECONDS": "3", "SWEEP_SECONDS": "1"}


@pytest.fixture
def start_worker(
    data_folder: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Generator[StartWorker]:
    """Starts workers, impatient ones; whatever is left is killed at the end."""
    del data_folder  # its settings come first
    with Redis.from_url(redis_url) as client:
        client.flushdb()  # what an earlier test left there is nobody's
    monkeypatch.setenv("RIGHTREASONS_BROKER_URL", redis_url)
    for name, value in IMPATIENT.items():
        monkeypatch.setenv(f"RIGHTREASONS_{name}", value)
    forget_settings()
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid())]
            process = subprocess.Popen(
                [*command, sys.executable, "-m", "app.cli", "worker", "--processes", "1"],
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """As the power cut does: the worker and its pool at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
