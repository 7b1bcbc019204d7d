"""What the API answers and takes, as JSON; of long work in ``run_shapes``, of what experts say in ``expert_shapes``."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.models import Origin, Role, Split
from app.models.figures import Figures
from app.projects.queries import LoopState, Step
from app.trust.actions import AskedBar

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """An error (RFC 9457): ``detail`` says what went wrong, what was kept and what to do."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[str]


class ClassOut(Out):
    id: UUID
    position: int
    name: str


class ProjectIn(In):
    name: Name
    task: Words = Field("", description="what the model decides, in a sentence for the clinician")
    classes: list[Name] = Field(min_length=2, max_length=1000, description="in the order of the model's outputs")
    group_by: list[Name] = Field([], description="attributes that make the groups, beside the class")
    lvlm: str = Field("", max_length=400, description="see `rightreasons lvlm --help`; empty: that of new projects")
    critic_notes: Words = ""
    bar: AskedBar | None = Field(
        AskedBar(reason="That of new projects."), description="the trust bar; null: realignment waits for no reader"
    )


class ProjectOut(Out):
    id: UUID
    name: str
    task: str
    is_demo: bool
    group_by: list[str]
    lvlm: str
    critic_notes: str
    classes: list[ClassOut]
    created_at: datetime


class LoopOut(BaseModel):
    done: list[Step]
    current: Step
    next_action: str
    checkpoint_id: UUID | None
    round: int = Field(description="1, and one more with every realigned checkpoint that the loop went on from")
    run_id: UUID | None = Field(description="the work that is under way")

    @classmethod
    def of(cls, loop: LoopState) -> "LoopOut":
        return cls(
            done=[step for step in Step if step in loop.done],
            current=loop.current,
            next_action=loop.next_action.label,
            checkpoint_id=loop.checkpoint.id if loop.checkpoint else None,
            round=loop.round,
            run_id=loop.run.id if loop.run else None,
        )


class DatasetOut(Out):
    id: UUID
    name: str
    digest: str
    images: int
    attributes: list[str]
    has_masks: bool
    run_id: UUID | None
    created_at: datetime


class CheckpointOut(Out):
    id: UUID
    project_id: UUID
    number: int
    name: str
    origin: Origin
    parent_id: UUID | None
    run_id: UUID | None
    architecture: str
    size: int
    channels: int
    mean: list[float]
    std: list[float]
    weights: str = Field(description="SHA-256 of the safetensors file")
    attribution: str
    attribution_reason: str
    completeness_error: float
    created_at: datetime


class ReportOut(Out):
    id: UUID
    checkpoint_id: UUID
    run_id: UUID
    split: Split
    figures: Figures
    created_at: datetime


class TokenIn(In):
    name: Name


class TokenOut(Out):
    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewTokenOut(TokenOut):
    token: str = Field(description="shown this once")


class CallerOut(Out):
    id: UUID
    name: str
    display_name: str
    role: Role
