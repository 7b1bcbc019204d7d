"""Versions, the words to begin from, and which pictures a trial asks about."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.models import (
    Explanation,
    Image,
    JudgeExample,
    Kind,
    Project,
    Run,
    Specification,
    TargetClass,
    User,
)
from app.runs.parameters import EntryText
from app.runs.queries import WITHOUT_RESULT

TRIAL_PICTURES = 6
# What a critic wrote and the verdict it calls for: the judge's own (worker.method.judge), which no page can import.
BUILT_IN = (
    ("grey square; light grey; upper left corner; tiny; named as spurious; spurious", "spurious"),
    ("digit strokes; white; middle; medium; named as relevant; relevant", "relevant"),
    ("It lies mostly on the plaster, which the specification names as spurious.", "spurious"),
    ("It covers the joint space between the bones, a feature of the disease.", "relevant"),
    ("empty background; black; lower part; small; not named; relevant", "relevant"),
)


def versions_of(session: Session, project: Project) -> Sequence[Specification]:
    """The newest first, with their entries."""
    return session.scalars(
        select(Specification)
        .where(Specification.project_id == project.id)
        .order_by(Specification.version.desc())
        .options(selectinload(Specification.entries))
    ).all()


def authors_of(session: Session, versions: Sequence[Specification]) -> dict[UUID | None, str]:
    ids = {version.created_by_id for version in versions}
    rows = session.execute(select(User.id, User.display_name).where(User.id.in_(ids)))
    return {user_id: name for user_id, name in rows}  # noqa: C416  a Row is no pair to mypy


def words_to_begin_from(newest: Specification | None, classes: Sequence[TargetClass]) -> tuple[EntryText, ...]:
    """The newest version's words, or empty ones."""
    stored = {entry.class_id: entry for entry in newest.entries} if newest else {}
    return tuple(
        EntryText(class_id=target.id, spurious=entry.spurious, relevant=entry.relevant, notes=entry.notes)
        if (entry := stored.get(target.id))
        else EntryText(class_id=target.id)
        for target in classes
    )


def pictures_for_trial(session: Session, analysis: Run, class_id: UUID) -> list[UUID]:
    """Six of the class, spread over the alignment set, so that they are not all of the surest kind."""
    ids = session.scalars(
        select(Explanation.id)
        .join(Image, Image.id == Explanation.image_id)
        .where(Explanation.run_id == analysis.id, Image.class_id == class_id)
        .order_by(Explanation.position)
    ).all()
    count = min(TRIAL_PICTURES, len(ids))
    return [ids[number * len(ids) // count] for number in range(count)]


def judge_examples(session: Session, project: Project) -> tuple[tuple[str, str], ...]:
    """As they stand now, the built-in ones where people wrote none; a run keeps those it used."""
    rows = session.scalars(
        select(JudgeExample).where(JudgeExample.project_id == project.id).order_by(JudgeExample.position)
    )
    return tuple((row.text, row.verdict.value) for row in rows) or BUILT_IN


def explanations_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, Explanation]:
    rows = session.scalars(select(Explanation).where(Explanation.id.in_(ids)).options(joinedload(Explanation.image)))
    return {row.id: row for row in rows}


def newest_critique_run(
    session: Session, project: Project, version: Specification | None, analysis: Run | None = None
) -> Run | None:
    """The newest critique under this version, whatever its state; of this analysis alone where one is given."""
    if version is None:
        return None
    query = select(Run).where(
        Run.project_id == project.id,
        Run.kind == Kind.CRITIQUE,
        Run.parameters["specification_id"].as_string() == str(version.id),
    )
    if analysis is not None:
        query = query.where(Run.parameters["analysis_id"].as_string() == str(analysis.id))
    return session.scalar(query.order_by(Run.created_at.desc()).limit(1).options(*WITHOUT_RESULT))
