"""What a run works on, fixed when it begins: images that come and reviews that are given later change nothing in it."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Dataset, Kind, Run, VerdictValue
from app.models.run import MATERIAL
from app.review.standing import Standing, standings


class Material(BaseModel):
    """The project's data sets, and the cluster numbers that stand as spurious and as relevant, by explanation.

    The explanations are those of the critique that the run takes its corrective masks from, also where none stands.
    """

    model_config = ConfigDict(frozen=True)

    datasets: tuple[UUID, ...]
    spurious: dict[UUID, tuple[int, ...]]
    relevant: dict[UUID, tuple[int, ...]] = {}  # a run that began before they were kept has none


def gather(session: Session, run: Run) -> None:
    """Keeps the material with the run, as it stands now."""
    datasets = session.scalars(select(Dataset.id).where(Dataset.project_id == run.project_id))
    # A consensus takes no masks from its critique: it says which there will be. A calibration needs none.
    masks = run.kind not in {Kind.CONSENSUS, Kind.CALIBRATION}
    critique = run.parameters.get("critique_id") if masks else None
    found = standings(session, UUID(critique)) if critique else []
    material = Material(
        datasets=tuple(datasets),
        spurious=called(found, VerdictValue.SPURIOUS),
        relevant=called(found, VerdictValue.RELEVANT),
    )
    run.result = {**run.result, MATERIAL: material.model_dump(mode="json")}


def called(standings: Sequence[Standing], value: VerdictValue) -> dict[UUID, tuple[int, ...]]:
    """The numbers of the clusters that stand as this, by explanation; none for an explanation without any."""
    found: dict[UUID, tuple[int, ...]] = {}
    for standing in standings:
        number = (standing.number,) if standing.value is value else ()
        found[standing.explanation_id] = found.get(standing.explanation_id, ()) + number
    return found


def material_of(run: Run) -> Material:
    return Material.model_validate(run.result[MATERIAL])
