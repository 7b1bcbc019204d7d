"""What the API answers and takes of long work, as JSON."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator
from pydantic_core import PydanticCustomError

from app.api.shapes import Out
from app.languages.messages import in_english
from app.models import Kind, Stage, State
from app.models.run import MATERIAL
from app.models.summary import SHORT
from app.runs.parameters import (
    AnalysisParameters,
    CalibrationParameters,
    CheckParameters,
    ConsensusParameters,
    CritiqueParameters,
    EvaluationParameters,
    ExportParameters,
    HoneypotParameters,
    RealignmentParameters,
    TrainingParameters,
    TrialParameters,
)


class RunOut(Out):
    id: UUID
    project_id: UUID
    kind: Kind
    parameters: dict[str, Any]
    state: State
    stage: Stage | None
    done: int
    total: int
    cancel_requested: bool
    error: str
    error_details: str
    result: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @model_validator(mode="after")
    def keep_closed(self) -> Self:
        """What a blind reader must not learn is told under /verdicts, /differences and /trust when the reading is done.

        A run's material says which clusters stand as spurious, and those of planted pictures are among them.
        """
        closed = {
            Kind.CONSENSUS: {"difference", "kinds"},
            Kind.CALIBRATION: {"reliability"},
            Kind.REALIGNMENT: {"trust"},
        }.get(self.kind, set())
        self.result = {
            name: in_english(value) for name, value in self.result.items() if name not in closed | {MATERIAL, SHORT}
        }
        return self


class EpochOut(Out):
    number: int
    figures: dict[str, Any]


K = TypeVar("K")
P = TypeVar("P")


class Start(BaseModel, Generic[K, P]):
    model_config = ConfigDict(extra="forbid")
    kind: K
    parameters: P


AnyStart = (
    Start[Literal["training"], TrainingParameters]
    | Start[Literal["analysis"], AnalysisParameters]
    | Start[Literal["critique"], CritiqueParameters]
    | Start[Literal["calibration"], CalibrationParameters]
    | Start[Literal["trial"], TrialParameters]
    | Start[Literal["consensus"], ConsensusParameters]
    | Start[Literal["realignment"], RealignmentParameters]
    | Start[Literal["evaluation"], EvaluationParameters]
    | Start[Literal["check"], CheckParameters]
    | Start[Literal["honeypot"], HoneypotParameters]
    | Start[Literal["export"], ExportParameters]
)


class StartRun(RootModel[Annotated[AnyStart, Field(discriminator="kind")]]):
    @model_validator(mode="before")
    @classmethod
    def refuse_files(cls, asked: object) -> object:
        """Imports and registrations name files of the store, so that only an upload starts them."""
        if isinstance(asked, dict) and asked.get("kind") in {Kind.IMPORT, Kind.REGISTRATION}:
            told = "data sets and checkpoints are uploaded to /projects/{project_id}/datasets and /checkpoints"
            raise PydanticCustomError("files", told)
        return asked
