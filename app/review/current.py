"""The critique of the address."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, HTTPException

from app.deps import CurrentProject, DBSession
from app.languages.catalogue import gettext
from app.models import Kind, Run, State
from app.runs.queries import WITHOUT_RESULT


def get_critique(session: DBSession, project: CurrentProject, critique_id: UUID) -> Run:
    run = session.get(Run, critique_id, options=WITHOUT_RESULT)
    if run is None or run.project_id != project.id or run.kind is not Kind.CRITIQUE or run.state is not State.SUCCEEDED:
        raise HTTPException(404, gettext("This project has no such critique."))
    return run


CurrentCritique = Annotated[Run, Depends(get_critique)]
