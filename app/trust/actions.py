"""Setting a project's trust bar; rows are only added."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from app.models import TrustBar
from app.projects.queries import REVIEW_SAMPLE
from app.trust.lock import LEAST_CASES, LEAST_KAPPA


class AskedBar(BaseModel):
    """What realignment is to wait for; more cases than the blind sample has can't be asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    locks: bool = Field(True, description="false: realignment is open, whatever the judge does")
    least_kappa: float = Field(LEAST_KAPPA, ge=0, le=1, description="Cohen's, of the judge with blind readers")
    least_cases: int = Field(LEAST_CASES, ge=1, le=REVIEW_SAMPLE, description="that somebody has read blind")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


def set_bar(session: Session, project_id: UUID, asked: AskedBar, user_id: UUID | None) -> TrustBar:
    """Whoever calls has asked whether the user owns the project."""
    bar = TrustBar(project_id=project_id, created_by_id=user_id, **asked.model_dump())
    session.add(bar)
    session.flush()
    return bar
