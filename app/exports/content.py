"""What a report and a model card tell of a realigned checkpoint: all that Compare shows, and where it came from."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from app.decisions.dumbbell import Dumbbell, dumbbell
from app.decisions.pictures import explained_pairs
from app.decisions.queries import Comparison, Pair, Paired, decisions_on, paired
from app.models import Dataset, Decision, Explanation, Image, Project, Run, Specification, Split, TargetClass, User
from app.pictures import drawing
from app.runs.parameters import CritiqueParameters
from app.storage import BlobMissingError, storage

LOOKS, SIDE = 8, 220  # pictures of where it looked, and the side of each in pixels


@dataclass(frozen=True)
class Counted:
    """Pictures of one class, by split."""

    name: str
    by_split: dict[Split, int]


@dataclass(frozen=True)
class Content:
    """words: those that were applied; answers: pictures whose answer changed come first.

    looks: the same pictures explained under the checkpoint before and under this one.
    blind: how the judge did is to be kept from whom it is made for.
    """

    project: Project
    comparison: Comparison
    decisions: Sequence[Decision]
    words: Specification | None
    words_by: str
    classes: Sequence[TargetClass]
    counted: Sequence[Counted]
    plot: Dumbbell | None
    paired: Paired | None
    answers: Sequence[Pair]
    looks: Sequence[tuple[Explanation, Explanation]]
    blind: bool
    made_by: str
    made_at: datetime


def content_of(session: Session, project: Project, comparison: Comparison, user: User, *, blind: bool) -> Content:
    before, after = comparison.measured_before, comparison.measured_after
    words, words_by = words_applied(session, comparison)
    counts, answers = paired(session, comparison)
    return Content(
        project=project,
        comparison=comparison,
        decisions=decisions_on(session, comparison.after),
        words=words,
        words_by=words_by,
        classes=project.classes,
        counted=counted(session, project),
        plot=dumbbell(before.figures, after.figures) if before and after else None,
        paired=counts,
        answers=answers,
        looks=explained_pairs(session, comparison, LOOKS),
        blind=blind,
        made_by=user.display_name,
        made_at=datetime.now(UTC),
    )


def words_applied(session: Session, comparison: Comparison) -> tuple[Specification | None, str]:
    """The version that the critique of this realignment went by, and who wrote it."""
    critique = session.get_one(Run, comparison.parameters.critique_id)
    asked = CritiqueParameters.model_validate(critique.parameters)
    row = session.execute(
        select(Specification, User.display_name)
        .outerjoin(User, User.id == Specification.created_by_id)
        .where(Specification.id == asked.specification_id)
        .options(selectinload(Specification.entries))
    ).one_or_none()
    return (row[0], row[1] or "") if row else (None, "")


def counted(session: Session, project: Project) -> list[Counted]:
    rows = session.execute(
        select(Image.class_id, Image.split, func.count())
        .join(Dataset, Dataset.id == Image.dataset_id)
        .where(Dataset.project_id == project.id)
        .group_by(Image.class_id, Image.split)
    ).all()
    return [
        Counted(target.name, {split: number for class_id, split, number in rows if class_id == target.id})
        for target in project.classes
    ]


def picture(image: Image) -> str:
    """The picture itself, as an address that holds it; empty where its file is gone."""
    return drawn(image.blob, None)


def regions(image: Image, explanation: Explanation) -> str:
    """The same with the numbered regions of an explanation."""
    return drawn(image.blob, explanation.assignment)


def drawn(blob: str, assignment: str | None) -> str:
    try:
        shown = drawing.fitted(drawing.opened(storage().get(blob)), SIDE)
        if assignment is not None:
            shown = drawing.overlay(shown, drawing.cells_of(storage().get(assignment), shown.size))
    except BlobMissingError:
        return ""
    return f"data:image/png;base64,{b64encode(drawing.as_png(shown)).decode()}"


def names_of(content: Content) -> dict[UUID, str]:
    return {target.id: target.name for target in content.classes}
