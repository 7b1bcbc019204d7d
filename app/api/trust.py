"""How far a project's judge can be trusted, and the bar under which realignment is locked."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query
from sqlalchemy.orm import Session

from app.api.bearer import Caller
from app.api.critiques import find_critique, read_blind_first
from app.api.expert_shapes import AgreementOut, TrustBarOut, TrustOut
from app.deps import DBSession, find_project
from app.languages.catalogue import gettext
from app.models import Project, Run, TrustBar
from app.projects.lvlm import speaker_in
from app.projects.queries import newest_critique
from app.trust.actions import AskedBar, set_bar
from app.trust.figures import trust_in
from app.trust.lock import NOT_THEIRS, lock_under, newest_bar, owns

router = APIRouter(tags=["trust"])


@router.get("/projects/{project_id}/trust")
def show_trust(
    session: DBSession, caller: Caller, project_id: UUID, critique_id: Annotated[UUID | None, Query()] = None
) -> TrustOut:
    """How far the judge of the newest critique, or of another one, agrees with blind readers; who is to read blind
    reads first.
    """
    project = find_project(session, project_id)
    critique = critique_of(session, project, critique_id)
    read_blind_first(session, critique, caller)
    found, bar = trust_in(session, project, critique), newest_bar(session, project_id)
    lock = lock_under(bar, found.whole, judged=speaker_in(session, critique) is not None)
    return TrustOut(
        critique_id=critique.id,
        whole=AgreementOut.model_validate(found.whole),
        classes=[AgreementOut.model_validate(each) for each in found.classes],
        bar=TrustBarOut.model_validate(bar) if bar else None,
        locked=lock.reason,
        unlock=lock.unlock,
    )


def critique_of(session: Session, project: Project, critique_id: UUID | None) -> Run:
    critique = find_critique(session, critique_id) if critique_id else newest_critique(session, project)
    if critique is None or critique.project_id != project.id:
        raise HTTPException(404, "This project has no such critique.")
    return critique


@router.post("/projects/{project_id}/trust/bars", status_code=201, response_model=TrustBarOut)
def set_trust_bar(session: DBSession, caller: Caller, project_id: UUID, asked: AskedBar) -> TrustBar:
    """Sets the bar that counts from now on: for who made the project, and administrators."""
    if not owns(caller, find_project(session, project_id)):
        raise HTTPException(403, gettext(NOT_THEIRS))
    return set_bar(session, project_id, asked, caller.id)
