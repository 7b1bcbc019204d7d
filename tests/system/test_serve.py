import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.servers import free_port

SECONDS = 60.0


def wait_for(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.1)


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_serve_answers_and_leaves_nothing_when_killed(tmp_path: Path) -> None:
    port = free_port()
    environment = {**os.environ, "RIGHTREASONS_DATA": str(tmp_path), "RIGHTREASONS_PORT": str(port)}
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            assert answer.status == 200
        supervisor = psutil.Process(process.pid)
        wait_for(lambda: "ready." in (tmp_path / "logs" / "worker.log").read_text())
        everything = supervisor.children(recursive=True)
        process.kill()
    assert len(everything) == 5  # broker, web server, worker and its two processes
    wait_for(lambda: all(is_gone(one) for one in everything), seconds=5)
