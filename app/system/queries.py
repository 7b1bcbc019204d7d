"""What the database and the settings say of this installation."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.check.standing import Standing, proof, standing_by
from app.config import settings
from app.languages.catalogue import gettext
from app.models import AuditCheck, LVLMCall, Project, Run, State, User
from app.projects.lvlm import OPENAI, Speaker, server_of, speaker_of
from app.runs.queries import WITHOUT_RESULT

LISTED = 20
PACKAGES = ("rightreasons", "fastapi", "sqlalchemy", "celery", "torch", "transformers")


def people(session: Session) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.active.desc(), User.name)).all()


@dataclass(frozen=True)
class Work:
    """A run that is queued or under way; ``where`` is its project, ``who`` asked for it."""

    run: Run
    where: str
    who: str | None


def work_under_way(session: Session) -> list[Work]:
    """What runs before what waits, the oldest first."""
    rows = session.execute(
        select(Run, Project.name, Project.draft.is_not(None), User.display_name)
        .join(Project, Project.id == Run.project_id)
        .outerjoin(User, User.id == Run.created_by_id)
        .where(Run.state.in_([State.QUEUED, State.RUNNING]))
        .order_by(Run.state.desc(), Run.created_at)
        .limit(LISTED + 1)
        .options(*WITHOUT_RESULT)
    )
    return [Work(run, gettext("a new project") if is_draft else name, who) for run, name, is_draft, who in rows]


@dataclass(frozen=True)
class Critic:
    """The LVLM of a project, and whether it has shown that its words can be used."""

    project: Project
    speaker: Speaker | None
    standing: Standing


def critics(session: Session) -> list[Critic]:
    made = select(Project, *proof()).where(Project.draft.is_(None)).order_by(Project.name)
    return [
        Critic(project, speaker_of(project.lvlm), standing_by(project, *proven))
        for project, *proven in session.execute(made)
    ]


@dataclass(frozen=True)
class Host:
    """Another machine: whether pictures may go there, which projects would send them, and what went."""

    name: str
    is_allowed: bool
    projects: Sequence[Project]
    calls: int = 0
    images: int = 0
    bytes: int = 0
    last: datetime | None = None


def hosts(session: Session, found: Sequence[Critic]) -> list[Host]:
    """Those that are allowed, named by a project, or in the log of calls."""
    totals = (func.count(), func.sum(LVLMCall.images), func.sum(LVLMCall.bytes), func.max(LVLMCall.created_at))
    called = {name: rest for name, *rest in session.execute(select(LVLMCall.host, *totals).group_by(LVLMCall.host))}
    named: dict[str, list[Project]] = {}
    for critic in found:
        if critic.project.lvlm.startswith(OPENAI) and (host := server_of(critic.project.lvlm)[1].hostname):
            named.setdefault(host, []).append(critic.project)
    allowed = settings().allowed_hosts
    return [
        Host(name, name in allowed, named.get(name, []), *called.get(name, ()))
        for name in sorted({*allowed, *named, *called})
    ]


def newest_audit_check(session: Session) -> AuditCheck | None:
    return session.scalar(select(AuditCheck).order_by(AuditCheck.created_at.desc()).limit(1))


@dataclass(frozen=True)
class Stored:
    kind: str
    bytes: int


def database_size(session: Session) -> Stored:
    """With SQLite the file and what is not yet written back into it."""
    bind = session.get_bind()
    if bind.dialect.name == "postgresql":
        return Stored("PostgreSQL", session.scalar(select(func.pg_database_size(func.current_database()))) or 0)
    path = Path(bind.engine.url.database or "")
    files = (path, path.with_name(f"{path.name}-wal"))
    return Stored("SQLite", sum(each.stat().st_size for each in files if each.exists()))


def versions() -> dict[str, str]:
    """Of what is installed beside this server; nothing is loaded for it. A worker may run elsewhere."""
    return {"python": sys.version.split()[0], **{name: version_of(name) for name in PACKAGES}}


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return gettext("not installed here")
