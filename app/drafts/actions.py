"""Drafts: projects of which nothing is stored yet but what was typed and sent. They are made, or they go."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config import settings
from app.db import now
from app.drafts.forms import Draft, checkpoint_asked, preview_asked, stem
from app.languages.catalogue import gettext, msgid
from app.models import Project, Run
from app.models.preview import Preview
from app.projects.actions import create_project
from app.runs.actions import cancel_run, start_run
from app.runs.leftovers import forget_later
from app.runs.parameters import ImportParameters
from app.trust.actions import AskedBar


class DraftError(Exception):
    """The project can't be made from this draft; the message is a sentence for a person."""


def start_draft(session: Session, draft: Draft, user_id: UUID) -> Project:
    """Keeps it, and has a worker look at what was sent. The row's name is nobody's: the one typed is still free."""
    kept = Project(name=f"draft {uuid4()}", draft=draft.model_dump(mode="json"), created_by_id=user_id)
    session.add(kept)
    session.flush()
    start_run(session, kept.id, preview_asked(draft), user_id)
    return kept


def change_draft(session: Session, kept: Project, draft: Draft) -> None:
    """Another look, at what was typed and sent now; what it replaces is forgotten."""
    before = files_of(draft_in(kept))
    forget_seen(session, kept)
    for blob in before - files_of(draft):
        forget_later(session, blob)
    kept.draft = draft.model_dump(mode="json")
    start_run(session, kept.id, preview_asked(draft), kept.created_by_id)


def make_project(session: Session, kept: Project, group_by: Collection[str]) -> Project:
    """The project, with its import under way: checkpoint and explanation follow by themselves. The draft is gone.

    Raises DraftError where the newest preview found something wrong or has not ended; ProjectError or LVLMNameError
    where the name was taken meanwhile or the LVLM forbidden. All of them before anything is changed.
    """
    run = newest_look(session, kept)
    seen = preview_in(run)
    if seen is None or not seen.is_sound:
        raise DraftError(gettext("What was sent has not been found sound, so no project was made from it."))
    draft = draft_in(kept)
    assert draft.dataset is not None
    names = [each.name for each in seen.classes]
    project = create_project(
        session,
        draft.name,
        draft.task,
        names,
        kept.created_by_id,
        group_by=[each.name for each in seen.columns if each.name in group_by],
        lvlm=draft.lvlm,
        bar=AskedBar(reason=msgid("That of new projects.")),
    )
    asked = ImportParameters(
        name=stem(draft.dataset.filename),
        blob=draft.dataset.blob,
        patient_column=draft.patient_column.strip(),
        checkpoint=checkpoint_asked(draft, names),
    )
    start_run(session, project.id, asked, kept.created_by_id)
    forget_seen(session, kept)
    session.delete(kept)
    session.flush()
    return project


def remove_draft(session: Session, kept: Project) -> None:
    """With all that was sent for it."""
    forget_seen(session, kept)
    for blob in files_of(draft_in(kept)):
        forget_later(session, blob)
    session.delete(kept)
    session.flush()


def remove_old_drafts(session: Session) -> None:
    """Those that nobody has looked at again for as long as the settings say."""
    newest = select(Run.created_at).where(Run.project_id == Project.id).order_by(Run.created_at.desc()).limit(1)
    before = now() - timedelta(hours=settings().draft_hours)
    forgotten = select(Project).where(Project.draft.is_not(None), newest.scalar_subquery() < before)
    for kept in session.scalars(forgotten.with_for_update(skip_locked=True)).all():
        remove_draft(session, kept)


def forget_seen(session: Session, kept: Project) -> None:
    """The small pictures and lists of earlier looks, and any look that is still under way."""
    for run in session.scalars(select(Run).where(Run.project_id == kept.id)).all():
        if not run.state.is_final:
            cancel_run(session, run)
        seen = preview_in(run)
        if seen is not None:
            for blob in (seen.problem_list, *(each.blob for each in seen.pictures)):
                if blob:
                    forget_later(session, blob)
            run.result = {}


def files_of(draft: Draft) -> set[str]:
    return {sent.blob for sent in (draft.dataset, draft.weights) if sent is not None}


def draft_in(kept: Project) -> Draft:
    return Draft.model_validate(kept.draft)


def newest_look(session: Session, kept: Project) -> Run:
    runs = select(Run).where(Run.project_id == kept.id).order_by(Run.created_at.desc()).limit(1)
    return session.scalars(runs).one()


def preview_in(run: Run) -> Preview | None:
    """None where the look has not ended, or failed."""
    found = run.result.get("preview")
    return Preview.model_validate(found) if found else None
