"""The parts that run: everything under one supervisor, or the web server and the worker by themselves."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from threading import Event
from typing import Annotated
from urllib.request import ProxyHandler, build_opener

import typer
from celery.signals import worker_ready

from app.cli.output import CommandError, Json, show
from app.config import Settings, settings
from app.db import engine
from app.migrations import migrate as migrate_database
from app.queue import CPU, GPU, celery
from app.supervisor import Child, SupervisorError, broker_child, port_is_free, supervise

HEALTH_SECONDS = 2
STARTUP_FAILURE = 3  # as uvicorn has it


def rightreasons(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", *arguments]


def web_child(known: Settings) -> Child:
    directly = build_opener(ProxyHandler({}))  # a proxy of the environment can't reach this machine's own addresses

    def serves() -> bool:
        try:
            with directly.open(f"http://{known.host}:{known.port}/healthz", timeout=HEALTH_SECONDS) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004  HTTP's OK
        except OSError:
            return False

    return Child("web", rightreasons("web"), serves=serves)


def worker_child() -> Child:
    # Serving means that it may be sent work; messages wait in the broker until it has started.
    return Child("worker", rightreasons("worker"), grace=20)


def children(known: Settings) -> list[Child]:
    embedded = [] if known.broker_url else [broker_child(known)]
    return [*embedded, worker_child(), web_child(known)]


def run_all(ready: Callable[[Event], int | None]) -> int:
    """Migrates, then runs every part of one machine until somebody stops it."""
    known = settings()
    try:
        free = port_is_free(known.host, known.port)
    except OSError as error:
        raise CommandError(
            f"Nothing can listen at {known.host}, port {known.port}: {error.strerror}. "
            "Set RIGHTREASONS_HOST to an address of this machine."
        ) from error
    if not free:
        raise CommandError(
            f"Port {known.port} on {known.host} is taken by another program. "
            f"Stop that one, or choose another port, for example: RIGHTREASONS_PORT={known.port + 1}."
        )
    known.data.mkdir(parents=True, exist_ok=True)
    migrate_database(engine())
    engine().dispose()
    try:
        return supervise(children(known), ready, known.data)
    except SupervisorError as error:
        raise CommandError(str(error)) from error


def serve(as_json: Json = False) -> None:
    """Run everything on this machine: broker, worker and web server. Ctrl-C stops all."""

    def ready(stopping: Event) -> None:
        del stopping
        url = f"http://{settings().host}:{settings().port}"
        show({"url": url}, as_json, f"Right Reasons serves at {url} - Ctrl-C stops it.")

    raise typer.Exit(run_all(ready))


def web(as_json: Json = False) -> None:
    """Run the web server alone; migrations and a worker are somebody else's work."""
    import uvicorn

    known = settings()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                show({"url": f"http://{known.host}:{known.port}"}, as_json)

    config = uvicorn.Config(
        "app.main:create_app",
        factory=True,
        host=known.host,
        port=known.port,
        server_header=False,
        # A page that polls must not hold up stopping.
        timeout_graceful_shutdown=3,
        # Behind a proxy its address is trusted only where the environment says so (FORWARDED_ALLOW_IPS).
        proxy_headers=True,
    )
    server = Server(config)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise typer.Exit(STARTUP_FAILURE)


def worker(
    queues: Annotated[str, typer.Option(help="gpu, cpu or both, comma-separated.")] = f"{GPU},{CPU}",
    processes: Annotated[int, typer.Option(help="0 takes the setting.")] = 0,
    as_json: Json = False,
) -> None:
    """Run a worker that takes shards from the queues."""
    import worker.celery  # noqa: F401  registers the tasks

    # One thread per process: two processes with a thread pool each would fight for the same cores.
    threads = str(settings().torch_threads)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, threads)
    count = processes or settings().worker_processes
    if as_json:
        told = {"queues": queues.split(","), "processes": count}
        celery().conf.worker_redirect_stdouts = False  # else what is printed goes to the log
        worker_ready.connect(lambda **_: show(told, as_json), weak=False)
    celery().worker_main(
        [
            *(["--quiet"] if as_json else []),
            "worker",
            "--loglevel=INFO",
            f"--queues={queues}",
            f"--concurrency={count}",
            "--pool=prefork",
            "--without-mingle",
        ]
    )


def migrate(as_json: Json = False) -> None:
    """Bring the database to the newest schema."""
    migrate_database(engine())
    url = engine().url.render_as_string(hide_password=True)
    show({"database": url, "current": True}, as_json, f"The database at {url} is up to date.")
