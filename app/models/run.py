from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base
from app.models.columns import Created, Id, Messages, belongs_to, words


class Kind(StrEnum):
    IMPORT = "import"
    REGISTRATION = "registration"
    TRAINING = "training"
    ANALYSIS = "analysis"
    CRITIQUE = "critique"
    CALIBRATION = "calibration"
    TRIAL = "trial"
    CONSENSUS = "consensus"
    REALIGNMENT = "realignment"
    EVALUATION = "evaluation"
    CHECK = "check"
    HONEYPOT = "honeypot"
    EXPORT = "export"


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELLED}


class Stage(StrEnum):
    """A part of a run; its word is also the name of the task that does it, in worker/tasks."""

    READ = "read"
    REGISTER = "register"
    FIT = "fit"
    SELECT = "select"
    ATTRIBUTE = "attribute"
    DESCRIBE = "describe"
    SUMMARISE = "summarise"
    CALIBRATE = "calibrate"
    CRITICISE = "criticise"
    CHARACTERISE = "characterise"
    AGREE = "agree"
    REALIGN = "realign"
    PREDICT = "predict"
    MEASURE = "measure"
    CHECK = "check"
    PLANT = "plant"
    EXPORT = "export"


MATERIAL = "material"  # what a run works on stands so named in its result; see worker.tasks.material


class Run(Base):
    """One piece of long work: a state machine whose stages are cut into shards."""

    __tablename__ = "run"
    __table_args__ = (Index(None, "project_id", "kind", "created_at"), Index(None, "state"))

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(belongs_to("project"))
    kind: Mapped[Kind] = mapped_column(words(Kind))
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict, doc="worker reads them as its pydantic model")
    state: Mapped[State] = mapped_column(words(State), default=State.QUEUED)
    stage: Mapped[Stage | None] = mapped_column(words(Stage))
    done: Mapped[int] = mapped_column(default=0, doc="images, epochs or rows of the stage that are done")
    total: Mapped[int] = mapped_column(default=0)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str] = mapped_column(Messages, default="", doc="what went wrong, what was kept, what to do")
    error_details: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[Created]
    created_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    started_at: Mapped[datetime | None]
    stage_started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
