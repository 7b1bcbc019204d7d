"""Projects, checkpoints, analyses and people by what a person types."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.cli.output import CommandError
from app.config import settings
from app.db import engine
from app.migrations import is_current, migrate
from app.models import Checkpoint, Project, Role, Run, Specification, User
from app.projects import queries


def ready_database() -> None:
    """SQLite in the data folder is made and migrated when it is needed; any other database is its keeper's."""
    if is_current(engine()):
        return
    if settings().database_url:
        raise CommandError("The database is not at the newest schema. Run `rightreasons migrate` first.")
    migrate(engine())


def project_named(session: Session, name: str) -> Project:
    statement = select(Project).where(Project.name == name).options(selectinload(Project.classes))
    project = session.scalar(statement)
    if project is None:
        made = select(Project.name).where(Project.draft.is_(None))
        names = ", ".join(session.scalars(made.order_by(Project.name))) or "none yet"
        raise CommandError(f"There is no project named {name}. There are: {names}.")
    return project


def acting_user(session: Session, name: str) -> User:
    """The account in whose name the command acts: the one named, else the oldest admin."""
    admins = select(User).where(User.active, User.role == Role.ADMIN).order_by(User.created_at)
    user = (
        session.scalar(select(User).where(User.name == name.lower(), User.active)) if name else session.scalar(admins)
    )
    if user is None:
        told = f"There is no active account {name}." if name else "There is no account yet."
        raise CommandError(f"{told} Add one: rightreasons user add NAME --role admin.")
    return user


def checkpoint_numbered(session: Session, project: Project, number: int) -> Checkpoint:
    """By its number in the project; 0 is the one that the project works on."""
    if number == 0:
        current = queries.current_checkpoint(session, project)
        if current is None:
            raise CommandError(
                "The project has no checkpoint. Train one, or bring one: rightreasons import checkpoint."
            )
        return current
    found = session.scalar(select(Checkpoint).where(Checkpoint.project_id == project.id, Checkpoint.number == number))
    if found is None:
        raise CommandError(f"The project has no checkpoint {number}.")
    return found


def newest_analysis(session: Session, project: Project) -> Run:
    run = queries.newest_analysis(session, project)
    if run is None:
        raise CommandError("Nothing has been analysed yet: rightreasons analyse.")
    return run


def newest_specification(session: Session, project: Project) -> Specification:
    found = queries.newest_specification(session, project)
    if found is None:
        raise CommandError("There is no specification yet: rightreasons specify.")
    return found


def newest_critique(session: Session, project: Project) -> Run:
    run = queries.newest_critique(session, project)
    if run is None:
        raise CommandError("The critic has not been asked yet: rightreasons critique.")
    return run


def class_id_named(project: Project, name: str) -> UUID:
    for target in project.classes:
        if target.name == name:
            return target.id
    raise CommandError(f"The project has no class {name}; it has {', '.join(each.name for each in project.classes)}.")
