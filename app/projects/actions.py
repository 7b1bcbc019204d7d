from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.languages.catalogue import gettext
from app.models import Project, TargetClass
from app.projects.lvlm import usable_lvlm
from app.trust.actions import AskedBar, set_bar

LEAST_CLASSES = 2
LONGEST_NAME = 200


class ProjectError(Exception):
    """The project can't be made so; the message is a sentence for a person."""


def create_project(
    session: Session,
    name: str,
    task: str,
    class_names: Sequence[str],
    user_id: UUID | None = None,
    *,
    group_by: Sequence[str] = (),
    lvlm: str = "",
    critic_notes: str = "",
    is_demo: bool = False,
    bar: AskedBar | None = None,
) -> Project:
    """``class_names`` in the order of the model's outputs; without an ``lvlm`` it gets that of new projects.

    Without a ``bar`` realignment is open until an owner sets one.

    Raises ProjectError where the name is empty or taken, or there are not two different classes; LVLMNameError.
    """
    project = Project(
        name=free_name(session, name),
        task=task.strip(),
        group_by=list(group_by),
        lvlm=usable_lvlm(lvlm),
        critic_notes=critic_notes,
        is_demo=is_demo,
        created_by_id=user_id,
        classes=[TargetClass(position=place, name=each) for place, each in enumerate(cleaned(class_names))],
    )
    session.add(project)
    session.flush()
    if bar is not None:
        set_bar(session, project.id, bar, user_id)
    return project


def free_name(session: Session, name: str) -> str:
    """Without spaces around it. Raises ProjectError where it is empty, too long or taken."""
    name = name.strip()
    if not name:
        raise ProjectError(gettext("A project needs a name."))
    if len(name) > LONGEST_NAME:
        raise ProjectError(gettext("A project's name has at most %(most)s characters.", most=LONGEST_NAME))
    if session.scalar(select(Project.id).where(Project.name == name)) is not None:
        raise ProjectError(gettext("There is already a project with the name %(name)s.", name=name))
    return name


def cleaned(class_names: Sequence[str]) -> list[str]:
    names = [name.strip() for name in class_names]
    if "" in names or len(set(names)) < len(names):
        raise ProjectError(gettext("Every class needs a name of its own."))
    if len(names) < LEAST_CLASSES:
        raise ProjectError(gettext("A project needs at least two classes."))
    return names
