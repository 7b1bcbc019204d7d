"""What is missing on this machine, and what to do about it."""

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import typer
from kombu.exceptions import OperationalError
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.cli.output import Json, show
from app.config import settings
from app.db import engine
from app.migrations import is_current
from app.projects.lvlm import LVLMNameError, usable_lvlm
from app.queue import celery
from app.storage import storage

LEAST_MEMORY = 4 * 2**30
LEAST_DISK = 2 * 2**30
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    name: str
    ok: bool
    found: str
    todo: str = ""


def doctor(as_json: Json = False) -> None:
    """Say what is missing on this machine, and what to do."""
    checks: tuple[Callable[[], Finding], ...] = (database, broker, workers, blobs, memory, disk, torch_and_gpu, lvlm)
    findings = [check() for check in checks]
    lines = [f"{'✓' if f.ok else '✕'} {f.name}: {f.found}{' ' + f.todo if f.todo else ''}" for f in findings]
    show([asdict(finding) for finding in findings], as_json, *lines)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def database() -> Finding:
    url = engine().url.render_as_string(hide_password=True)
    try:
        current = is_current(engine())
    except SQLAlchemyError as error:
        return Finding("database", ok=False, found=f"{url} does not answer ({first_line(error)}).", todo="Start it.")
    if current:
        return Finding("database", ok=True, found=f"{url}, newest schema.")
    return Finding("database", ok=False, found=f"{url} is not at the newest schema.", todo="Run: rightreasons migrate.")


def broker() -> Finding:
    url = settings().resolved_broker_url
    try:
        with celery().connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except (OSError, OperationalError, RedisError):
        todo = "Start Redis." if settings().broker_url else "It comes with: rightreasons serve."
        return Finding("broker", ok=False, found=f"{shown(url)} does not answer.", todo=todo)
    return Finding("broker", ok=True, found=f"{shown(url)} answers.")


def shown(url: str) -> str:
    """Without the password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def workers() -> Finding:
    try:
        answers = celery().control.ping(timeout=1.5) or []
    except (OSError, OperationalError, RedisError):
        answers = []
    if answers:
        return Finding("workers", ok=True, found=f"{len(answers)} answer.")
    return Finding("workers", ok=False, found="none answers.", todo="Start one: rightreasons worker, or serve.")


def blobs() -> Finding:
    url = settings().resolved_blob_url
    try:
        digest = storage().put(b"doctor")
        storage().get(digest)
    except Exception as error:  # noqa: BLE001  every store has its own errors
        return Finding("blobs", ok=False, found=f"{url} can't be written ({first_line(error)}).", todo="Check rights.")
    return Finding("blobs", ok=True, found=f"{url} can be written and read.")


def memory() -> Finding:
    total = psutil.virtual_memory().total
    todo = "" if total >= LEAST_MEMORY else f"At least {LEAST_MEMORY // GIB} GiB are needed."
    return Finding("memory", ok=not todo, found=f"{total / GIB:.1f} GiB, {psutil.cpu_count()} cores.", todo=todo)


def disk() -> Finding:
    folder = next(place for place in (settings().data.resolve(), *settings().data.resolve().parents) if place.exists())
    free = shutil.disk_usage(folder).free
    todo = "" if free >= LEAST_DISK else f"At least {LEAST_DISK // GIB} GiB are needed."
    return Finding("disk", ok=not todo, found=f"{free / GIB:.1f} GiB free in {folder}.", todo=todo)


def torch_and_gpu() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("torch", ok=False, found="not installed.", todo="A worker needs it: pip install '.[worker]'.")
    import torch

    if torch.cuda.is_available():
        return Finding("torch", ok=True, found=f"{torch.__version__}, GPU {torch.cuda.get_device_name(0)}.")
    return Finding("torch", ok=True, found=f"{torch.__version__}, no GPU: everything runs on the processor, slower.")


def lvlm() -> Finding:
    """The embedded one, or the one that the settings give new projects."""
    if importlib.util.find_spec("worker.lvlm") is None:
        return Finding("LVLM", ok=False, found="the worker's code is not here.")
    from worker.lvlm import WEIGHTS

    try:
        spec = usable_lvlm()
    except LVLMNameError as error:
        return Finding("LVLM", ok=False, found=f"new projects can't get theirs. {error}", todo="See RIGHTREASONS_LVLM.")
    folder = Path(spec.removeprefix("transformers:")) if spec.startswith("transformers:") else WEIGHTS
    if spec.startswith(("transformers:/", "transformers:.")) and not folder.is_dir():
        return Finding("LVLM", ok=False, found=f"there is no folder {folder}.", todo="Put the model there.")
    if not (WEIGHTS / "model.safetensors").is_file():
        return Finding("LVLM", ok=False, found="the embedded LVLM is missing.", todo="Run: rightreasons lvlm train.")
    return Finding("LVLM", ok=True, found=f"embedded one present; new projects get: {spec}.")


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
