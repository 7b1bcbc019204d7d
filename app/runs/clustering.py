"""How an analysis cuts attributions into clusters: as a person asked, or as the system chose, and why."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Run
from app.runs.parameters import AnalysisParameters

CLUSTERING = "clustering"


class Candidate(BaseModel):
    """A setting that was tried, with its figures in [0, 1] as ``worker.method.cluster_choice`` has them."""

    model_config = ConfigDict(frozen=True)

    sharpening: float
    support: float
    components: int
    stability: float
    share: float
    effect: float


class ChosenClustering(BaseModel):
    """images: on how many it was chosen, 0 where a person said everything; tried: the best first, none in that case."""

    model_config = ConfigDict(frozen=True)

    sharpening: float
    support: float
    components: int
    images: int = 0
    tried: tuple[Candidate, ...] = ()


def asked_for(parameters: AnalysisParameters) -> ChosenClustering | None:
    """None where something is left to the system."""
    sharpening, support, components = parameters.sharpening, parameters.support, parameters.components
    if sharpening is None or support is None or components is None:
        return None
    return ChosenClustering(sharpening=sharpening, support=support, components=components)


def clustering_of(kept: dict[str, Any] | None, parameters: AnalysisParameters) -> ChosenClustering | None:
    """kept: what the analysis's result has of it, if anything. None where the system has not chosen yet."""
    return ChosenClustering.model_validate(kept) if kept else asked_for(parameters)


def clustering_in(session: Session, analysis_id: UUID) -> ChosenClustering:
    """Of an analysis whose first stage is done. Raises LookupError where it is not."""
    asked, kept = session.execute(select(Run.parameters, Run.result[CLUSTERING]).where(Run.id == analysis_id)).one()
    found = clustering_of(kept, AnalysisParameters.model_validate(asked))
    if found is None:
        raise LookupError("This analysis has not chosen how it clusters yet.")
    return found
