"""What a run works on, fixed when it begins: images that come and reviews that are given later change nothing in it."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Dataset, Kind, Run, VerdictValue
from app.models.run import MATERIAL
from app.review.standing import standings


class Material(BaseModel):
    """The project's data sets, and the cluster numbers that stand as spurious, by explanation.

    The explanations are those of the critique that the run takes its corrective masks from, also where none stands.
    """

    model_config = ConfigDict(frozen=True)

    datasets: tuple[UUID, ...]
    spurious: dict[UUID, tuple[int, ...]]


def gather(session: Session, run: Run) -> None:
    """Keeps the material with the run, as it stands now."""
    datasets = session.scalars(select(Dataset.id).where(Dataset.project_id == run.project_id))
    # A consensus takes no masks from its critique: it says which there will be. A calibration needs none.
    masks = run.kind not in {Kind.CONSENSUS, Kind.CALIBRATION}
    critique = run.parameters.get("critique_id") if masks else None
    material = Material(
        datasets=tuple(datasets), spurious=spurious_clusters(session, UUID(critique)) if critique else {}
    )
    run.result = {**run.result, MATERIAL: material.model_dump(mode="json")}


def spurious_clusters(session: Session, critique_id: UUID) -> dict[UUID, tuple[int, ...]]:
    found: dict[UUID, tuple[int, ...]] = {}
    for standing in standings(session, critique_id):
        number = (standing.number,) if standing.value is VerdictValue.SPURIOUS else ()
        found[standing.explanation_id] = found.get(standing.explanation_id, ()) + number
    return found


def material_of(run: Run) -> Material:
    return Material.model_validate(run.result[MATERIAL])
