"""Second readings: some of the answered cases are read by another reader too, who is not shown the first answer.

Cluster ids are random, so the largest ones are a random share of the cases, and the same one for everybody. The
smallest ones are those that every reader reads blind, which need no second reading.
"""

from uuid import UUID

from fastapi import HTTPException
from sqlalchemy import ColumnElement, Select, Subquery, and_, false, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations

from app.languages.catalogue import gettext, msgid
from app.models import Project, Review, Role, Run, User
from app.review.answers import answers_by_cluster, is_judged
from app.trust.lock import owns

EVERY = 2**128  # ids there are
NOT_SET = msgid("How much is read twice is set by who made the project, or by an administrator.")


def set_share(project: Project, user: User, percent: int) -> None:
    """Raises 403 for everybody but who made the project, and administrators."""
    if not owns(user, project):
        raise HTTPException(403, gettext(NOT_SET))
    project.second_readings = percent


def is_chosen(cluster_id: SQLCoreOperations[UUID], percent: int) -> ColumnElement[bool]:
    return cluster_id >= UUID(int=EVERY - EVERY * percent // 100) if percent else false()


def open_to(critique: Run, reader: User, percent: int) -> Select[UUID]:
    """What this reader is still to read; until then nothing tells them what others said of it."""
    answers = answers_by_cluster(reader, is_judged(critique, Review.cluster_id))
    return select(answers.c.cluster_id).where(is_open(answers, percent))


def closed_to(session: Session, critique: Run, reader: User) -> frozenset[UUID]:
    """Those of a clinician: what others said of them is told afterwards. Whoever else looks at them is no reader."""
    if reader.role is not Role.CLINICIAN:
        return frozenset()
    project = session.get_one(Project, critique.project_id)
    return frozenset(session.scalars(open_to(critique, reader, project.second_readings)))


def is_open(answers: Subquery, percent: int) -> ColumnElement[bool]:
    """On rows of ``answers_by_cluster``: one person has answered, who is not the reader these rows are for."""
    return and_(answers.c.readers == 1, answers.c.mine == 0, is_chosen(answers.c.cluster_id, percent))
