"""What the page of projects shows of each: a picture or four, where it stands, how good its checkpoint is."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.models import Image, Project, Report, Split
from app.models.figures import Estimate, Figures
from app.projects.queries import LoopState, loop_state, newest_dataset, newest_report

PICTURES = 4


@dataclass(frozen=True)
class Card:
    project: Project
    loop: LoopState
    image_ids: Sequence[UUID]
    images: int
    split: Split | None  # what the figures were measured on
    accuracy: Estimate | None
    worst_group: Estimate | None
    worst_group_name: str


def cards(session: Session) -> list[Card]:
    """The demo last, else the newest first."""
    projects = session.scalars(
        select(Project)
        .where(Project.draft.is_(None))
        .options(selectinload(Project.classes))
        .order_by(Project.is_demo, Project.created_at.desc())
    ).all()
    return [card_of(session, project) for project in projects]


def card_of(session: Session, project: Project) -> Card:
    loop = loop_state(session, project)
    dataset = newest_dataset(session, project)
    report = best_report(session, loop)
    figures = Figures.model_validate(report.figures) if report else None
    image_ids: Sequence[UUID] = ()
    if dataset is not None:
        image_ids = session.scalars(
            select(Image.id).where(Image.dataset_id == dataset.id).order_by(Image.split, Image.position).limit(PICTURES)
        ).all()
    return Card(
        project=project,
        loop=loop,
        image_ids=image_ids,
        images=dataset.images if dataset else 0,
        split=report.split if report else None,
        accuracy=figures.accuracy if figures else None,
        worst_group=figures.worst_group if figures else None,
        worst_group_name=figures.worst_group_name if figures else "",
    )


def best_report(session: Session, loop: LoopState) -> Report | None:
    """On the test images, else on the validation images."""
    if loop.checkpoint is None:
        return None
    return newest_report(session, loop.checkpoint, Split.TEST) or newest_report(
        session, loop.checkpoint, Split.VALIDATION
    )
