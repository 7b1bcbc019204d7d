import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import psutil
import pytest
from redis import Redis
from sqlalchemy import create_engine, text

from app import leash
from app.config import Settings
from app.supervisor import SupervisorError, broker_child, make_private, port_is_free

# Two plain parts, each with a child of its own as a worker has its pool; they write down when they end.
PROGRAM = """
import sys
from pathlib import Path
from app.config import Settings
from app.supervisor import Child, SupervisorError, broker_child, supervise

data = Path(sys.argv[1])
ready = data / "ready"
PART = '''
import os, signal, sys, time
from app.leash import end_with
if os.fork() == 0:
    if sys.argv[1] != "careless":
        end_with(os.getppid())
    time.sleep(600)
def end(*_):
    open(sys.argv[2], "a").write(sys.argv[1] + chr(10))
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("here I am", flush=True)
time.sleep(600)
'''
names = sys.argv[3:]
children = [Child(name, [sys.executable, "-c", PART, name, str(data / "ends")]) for name in names]
if sys.argv[2] == "broker":
    children.insert(0, broker_child(Settings(data=data)))
try:
    sys.exit(supervise(children, lambda stopping: ready.touch(), data))
except SupervisorError as error:
    sys.exit(str(error))
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(*parts: str, broker: bool = False) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), "broker" if broker else "-", *parts]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        started.append(process)
        wait_for(lambda: (tmp_path / "ready").exists() or process.poll() is not None)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.05)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every living process whose command line names the folder, the supervisor among them.

    What was read of it stays in `info`: read again, it may have become a zombie in between.
    """
    found = []
    for process in psutil.process_iter(["cmdline", "ppid", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in words):
            found.append(process)
    return found


def leader(folder: Path, name: str, supervisor: int) -> psutil.Process | None:
    """The process that the supervisor started for this part."""
    children = [process for process in processes_of(folder) if process.info["ppid"] == supervisor]
    return next((child for child in children if any(name in word for word in child.info["cmdline"])), None)


def is_up(folder: Path, name: str) -> bool:
    return "here I am" in (folder / "logs" / f"{name}.log").read_text()


@pytest.mark.parametrize("name", ["worker", "careless"])
def test_a_part_that_was_killed_runs_again_and_its_old_pool_is_gone(start: Start, tmp_path: Path, name: str) -> None:
    supervisor = start(name)
    wait_for(lambda: is_up(tmp_path, name))
    before = leader(tmp_path, name, supervisor.pid)
    assert before is not None
    pool = before.children()
    before.kill()
    wait_for(lambda: leader(tmp_path, name, supervisor.pid) not in {before, None}, seconds=5)
    assert len(pool) == 1
    assert pool[0] not in processes_of(tmp_path)


def test_ctrl_c_stops_the_parts_in_the_opposite_order_and_leaves_none(start: Start, tmp_path: Path) -> None:
    supervisor = start("first", "careless", "third")
    wait_for(lambda: all(is_up(tmp_path, name) for name in ("first", "careless", "third")))
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(10) == 0
    assert (tmp_path / "ends").read_text().split() == ["third", "careless", "first"]
    assert processes_of(tmp_path) == []


def test_sigterm_stops_everything_too(start: Start, tmp_path: Path) -> None:
    supervisor = start("worker", broker=True)
    supervisor.terminate()
    assert supervisor.wait(10) == 0
    assert processes_of(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_nothing_is_left_after_kill_9_of_the_supervisor(start: Start, tmp_path: Path) -> None:
    supervisor = start("worker", "web", broker=True)
    wait_for(lambda: is_up(tmp_path, "worker") and is_up(tmp_path, "web"))
    assert len(processes_of(tmp_path)) == 6
    supervisor.kill()
    supervisor.wait()
    wait_for(lambda: processes_of(tmp_path) == [], seconds=3)


def test_the_broker_keeps_its_messages_through_kill_9(start: Start, tmp_path: Path) -> None:
    supervisor = start(broker=True)
    path = str(Settings(data=tmp_path).broker_socket)
    with Redis(unix_socket_path=path) as client:
        client.rpush("messages", *range(500))
    before = leader(tmp_path, "valkey", supervisor.pid)
    assert before is not None
    before.kill()
    wait_for(lambda: leader(tmp_path, "valkey", supervisor.pid) not in {before, None})
    wait_for(broker_child(Settings(data=tmp_path)).serves)
    with Redis(unix_socket_path=path) as client:
        assert client.llen("messages") == 500


def test_the_broker_is_closed_to_other_users_and_to_the_network(start: Start, tmp_path: Path) -> None:
    supervisor = start(broker=True)
    path = Settings(data=tmp_path).broker_socket
    assert path.parent.stat().st_mode & 0o077 == 0
    assert path.stat().st_mode & 0o077 == 0
    broker = leader(tmp_path, "valkey", supervisor.pid)
    assert broker is not None
    assert broker.net_connections("inet") == []


def test_a_second_supervisor_on_the_same_data_is_refused(start: Start, tmp_path: Path) -> None:
    start("web")
    second = start("web")
    _, errors = second.communicate(timeout=10)
    assert second.returncode == 1
    assert f"already runs on {tmp_path}" in errors


def test_a_part_that_never_comes_up_is_told_with_its_last_words(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.supervisor import Child, supervise\n"
        "child = Child('web', [sys.executable, '-c', 'raise SystemExit(\"no such table\")'], serves=lambda: False)\n"
        "supervise([child], lambda stopping: None, Path(sys.argv[1]))"
    )
    result = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "web doesn't come up" in result.stderr
    assert "web | no such table" in result.stderr


def test_the_exit_status_is_that_of_ready(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.supervisor import supervise\n"
        "sys.exit(supervise([], lambda stopping: 7, Path(sys.argv[1])))"
    )
    assert subprocess.run([sys.executable, "-c", program, tmp_path], check=False).returncode == 7


def test_a_failure_of_ready_stops_everything_and_is_raised(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.supervisor import Child, supervise\n"
        "children = [Child('web', ['sleep', '600'])]\n"
        "supervise(children, lambda stopping: 1 / 0, Path(sys.argv[1]))"
    )
    result = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ZeroDivisionError" in result.stderr
    assert processes_of(tmp_path) == []


def test_a_deep_data_folder_gets_a_short_private_socket(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / ("deep" * 30))
    child = broker_child(settings)
    path = settings.broker_socket
    try:
        assert len(bytes(path)) <= 107
        assert str(path) in child.command
        assert path.parent.stat().st_mode & 0o777 == 0o700
    finally:
        path.parent.rmdir()


def test_a_socket_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sockets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SupervisorError, match="belongs to another user"):
        make_private(tmp_path / "sockets")


def test_a_busy_port_is_seen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not port_is_free("127.0.0.1", port)
    assert port_is_free("127.0.0.1", port)


def test_the_servers_of_the_tests_answer(redis_url: str, postgres_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.ping()
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(text("show server_version_num")) >= "180000"
    engine.dispose()


def test_a_process_whose_parent_is_gone_already_does_not_start() -> None:
    command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid() + 1), "true"]
    assert subprocess.run(command, check=False).returncode == 1
