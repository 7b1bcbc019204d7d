"""What a part of this installation answers when it is asked how it is: for ``rightreasons doctor`` and for System.

Where a part lies, its address or path, is for those who run the server: ``places`` says whether it is told.
"""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psutil
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.config import settings
from app.db import engine
from app.languages.catalogue import gettext, ngettext
from app.languages.figures import decimal
from app.migrations import is_current
from app.queue import CPU, GPU, celery
from app.storage import storage

LEAST_MEMORY = 4 * 2**30
LEAST_DISK = 2 * 2**30
GIB = 2**30
BRIEF = 2.0  # seconds
PATIENCE = 1.5  # seconds in which a worker answers, however busy its children are
AWAY = (OSError, OperationalError, RedisError)


@dataclass(frozen=True)
class Finding:
    name: str
    ok: bool
    found: str
    todo: str = ""


def database(*, places: bool = True) -> Finding:
    url = engine().url.render_as_string(hide_password=True) if places else engine().dialect.name
    try:
        current = is_current(engine())
    except SQLAlchemyError as error:
        return Finding(
            "database",
            ok=False,
            found=gettext("%(url)s does not answer%(error)s.", url=url, error=in_brackets(error, places=places)),
            todo=gettext("Start it."),
        )
    if current:
        return Finding("database", ok=True, found=gettext("%(url)s, newest schema.", url=url))
    return Finding(
        "database",
        ok=False,
        found=gettext("%(url)s is not at the newest schema.", url=url),
        todo=gettext("Run: rightreasons migrate."),
    )


def broker(*, places: bool = True) -> Finding:
    url = shown(settings().resolved_broker_url, places=places)
    try:
        with brief_connection() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BRIEF)
    except AWAY:
        todo = gettext("Start Redis.") if settings().broker_url else gettext("It comes with: rightreasons serve.")
        return Finding("broker", ok=False, found=gettext("%(url)s does not answer.", url=url), todo=todo)
    return Finding("broker", ok=True, found=gettext("%(url)s answers.", url=url))


def shown(url: str, *, places: bool) -> str:
    """Without the password, or its kind alone; a folder has no scheme."""
    scheme, mark, rest = url.partition("://")
    if not places:
        return scheme if mark else "file"
    return f"{scheme}://{rest.rpartition('@')[2]}"


def brief_connection() -> Connection:
    """For a question that somebody waits for: it is given up after two seconds, whatever becomes of the broker."""
    options = {"socket_timeout": BRIEF, "socket_connect_timeout": BRIEF, "retry_on_timeout": False}
    opened: Connection = celery().connection_for_read(transport_options=options)
    return opened


def answering() -> Mapping[str, Collection[str]]:
    """The workers that answer within a second and a half, by name, with the queues that each works on."""
    try:
        with brief_connection() as connection:
            asked = celery().control.inspect(timeout=PATIENCE, connection=connection).active_queues() or {}
    except AWAY:
        return {}
    return {name: sorted(queue["name"] for queue in queues) for name, queues in sorted(asked.items())}


def workers(found: Mapping[str, Collection[str]] | None = None) -> Finding:
    """``found``: those that answered, where they were asked already."""
    found = answering() if found is None else found
    start = gettext("Start one: rightreasons worker, or serve.")
    if not found:
        return Finding("workers", ok=False, found=gettext("none answers."), todo=start)
    told = ngettext("%(number)s answers.", "%(number)s answer.", len(found), number=len(found))
    alone = sorted({CPU, GPU} - {queue for queues in found.values() for queue in queues})
    if alone:
        return Finding(
            "workers",
            ok=False,
            found=gettext("%(told)s None works on the queue %(alone)s.", told=told, alone=", ".join(alone)),
            todo=start,
        )
    return Finding("workers", ok=True, found=told)


def messages() -> Mapping[str, int] | None:
    """How many wait in each queue; None where the broker does not answer."""
    try:
        with brief_connection() as connection:
            client = connection.default_channel.client
            return {queue: int(client.llen(queue)) for queue in (CPU, GPU)}
    except AWAY:
        return None


def blobs(*, places: bool = True) -> Finding:
    url = settings().resolved_blob_url if places else shown(settings().resolved_blob_url, places=False)
    try:
        digest = storage().put(b"doctor")
        storage().get(digest)
    except Exception as error:  # noqa: BLE001  every store has its own errors
        return Finding(
            "blobs",
            ok=False,
            found=gettext("%(url)s can't be written%(error)s.", url=url, error=in_brackets(error, places=places)),
            todo=gettext("Check rights."),
        )
    return Finding("blobs", ok=True, found=gettext("%(url)s can be written and read.", url=url))


def memory() -> Finding:
    total = psutil.virtual_memory().total
    todo = "" if total >= LEAST_MEMORY else gettext("At least %(gib)s GiB are needed.", gib=LEAST_MEMORY // GIB)
    return Finding(
        "memory",
        ok=not todo,
        found=gettext("%(gib)s GiB, %(cpu_count)s cores.", gib=decimal(total / GIB, 1), cpu_count=psutil.cpu_count()),
        todo=todo,
    )


def disk(*, places: bool = True) -> Finding:
    folder = next(place for place in (settings().data.resolve(), *settings().data.resolve().parents) if place.exists())
    free = shutil.disk_usage(folder).free
    todo = "" if free >= LEAST_DISK else gettext("At least %(gib)s GiB are needed.", gib=LEAST_DISK // GIB)
    gib = decimal(free / GIB, 1)
    found = gettext("%(gib)s GiB free in %(folder)s.", gib=gib, folder=folder)
    return Finding("disk", ok=not todo, found=found if places else gettext("%(gib)s GiB free.", gib=gib), todo=todo)


def in_brackets(error: Exception, *, places: bool) -> str:
    """What it says, which may be where the part lies."""
    return f" ({first_line(error)})" if places else ""


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
