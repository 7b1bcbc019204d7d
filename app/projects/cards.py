"""What the page of projects shows of each: a picture or four, where it stands, how good its checkpoint is."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Subquery, select, union_all
from sqlalchemy.orm import Session, selectinload

from app.decisions.queries import Measured, newest_reports
from app.models import Checkpoint, Dataset, Image, Project, Split
from app.models.figures import Estimate
from app.projects.queries import AT_ONCE, LoopState, loop_states

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
    """The demo last, else the newest first; however many there are, it takes nine statements."""
    projects = session.scalars(
        select(Project)
        .where(Project.draft.is_(None))
        .options(selectinload(Project.classes))
        .order_by(Project.is_demo, Project.created_at.desc())
    ).all()
    loops = loop_states(session, projects)
    datasets = newest_datasets(session)
    reports = newest_reports(session, [loop.checkpoint.id for loop in loops.values() if loop.checkpoint])
    pictures = first_images(session, [dataset.id for dataset in datasets.values()])
    return [card_of(project, loops[project.id], datasets.get(project.id), pictures, reports) for project in projects]


def newest_datasets(session: Session) -> dict[UUID, Dataset]:
    """By project."""
    return {each.project_id: each for each in session.scalars(select(Dataset).order_by(Dataset.created_at))}


def first_images(session: Session, dataset_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """A few of each data set, each read along its index: numbering all images of all sets would read them all."""
    found: dict[UUID, list[UUID]] = defaultdict(list)
    for first in range(0, len(dataset_ids), AT_ONCE):
        few = [select(first_of(dataset_id)) for dataset_id in dataset_ids[first : first + AT_ONCE]]
        for dataset_id, image_id in session.execute(union_all(*few)):
            found[dataset_id].append(image_id)
    return found


def first_of(dataset_id: UUID) -> Subquery:
    mine = select(Image.dataset_id, Image.id).where(Image.dataset_id == dataset_id)
    return mine.order_by(Image.split, Image.position).limit(PICTURES).subquery()


def card_of(
    project: Project,
    loop: LoopState,
    dataset: Dataset | None,
    pictures: Mapping[UUID, Sequence[UUID]],
    reports: Mapping[tuple[UUID, Split], Measured],
) -> Card:
    measured = best_report(reports, loop.checkpoint)
    figures = measured.figures if measured else None
    return Card(
        project=project,
        loop=loop,
        image_ids=pictures.get(dataset.id, ()) if dataset else (),
        images=dataset.images if dataset else 0,
        split=measured.report.split if measured else None,
        accuracy=figures.accuracy if figures else None,
        worst_group=figures.worst_group if figures else None,
        worst_group_name=figures.worst_group_name if figures else "",
    )


def best_report(reports: Mapping[tuple[UUID, Split], Measured], checkpoint: Checkpoint | None) -> Measured | None:
    """On the test images, else on the validation images."""
    if checkpoint is None:
        return None
    return reports.get((checkpoint.id, Split.TEST)) or reports.get((checkpoint.id, Split.VALIDATION))
