"""What a run works on, fixed when it begins: images that come and reviews that are given later change nothing in it."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Checkpoint, Dataset, Kind, Origin, Run, VerdictValue
from app.models.run import MATERIAL
from app.review.standing import Standing, standings

# What trains on corrective masks, or measures with them.
AGAIN = {Kind.REALIGNMENT, Kind.EVALUATION}


class Material(BaseModel):
    """The project's data sets, and the cluster numbers that stand as spurious and as relevant, by explanation.

    The explanations are those of the critique that the run takes its corrective masks from, also where none stands.
    earlier: the numbers that stand as spurious in the rounds before, of explanations that have some. They are corrected
    again, or a model whose training pictures still show a shortcut would go back to it; ``relevant`` knows them, too.
    """

    model_config = ConfigDict(frozen=True)

    datasets: tuple[UUID, ...]
    spurious: dict[UUID, tuple[int, ...]]
    relevant: dict[UUID, tuple[int, ...]] = {}  # a run that began before they were kept has none
    earlier: dict[UUID, tuple[int, ...]] = {}


def gather(session: Session, run: Run) -> None:
    """Keeps the material with the run, as it stands now."""
    datasets = session.scalars(select(Dataset.id).where(Dataset.project_id == run.project_id))
    # A consensus takes no masks from its critique: it says which there will be. A calibration needs none.
    masks = run.kind not in {Kind.CONSENSUS, Kind.CALIBRATION}
    critique = run.parameters.get("critique_id") if masks else None
    found = standings(session, UUID(critique)) if critique else []
    before = earlier_standings(session, UUID(critique)) if critique and run.kind in AGAIN else []
    material = Material(
        datasets=tuple(datasets),
        spurious=called(found, VerdictValue.SPURIOUS),
        relevant=called([*before, *found], VerdictValue.RELEVANT),
        earlier={id_: numbers for id_, numbers in called(before, VerdictValue.SPURIOUS).items() if numbers},
    )
    run.result = {**run.result, MATERIAL: material.model_dump(mode="json")}


def earlier_standings(session: Session, critique_id: UUID) -> list[Standing]:
    """What stands by now of the rounds before the one that this critique belongs to."""
    return [each for critique in critiques_before(session, critique_id) for each in standings(session, critique)]


def critiques_before(session: Session, critique_id: UUID) -> Iterator[UUID]:
    """Those that the explained checkpoint, and those before it, were realigned by: the newest first."""
    while True:
        analysis = session.get_one(Run, UUID(session.get_one(Run, critique_id).parameters["analysis_id"]))
        checkpoint = session.get_one(Checkpoint, UUID(analysis.parameters["checkpoint_id"]))
        if checkpoint.origin is not Origin.REALIGNED or checkpoint.run_id is None:
            return
        critique_id = UUID(session.get_one(Run, checkpoint.run_id).parameters["critique_id"])
        yield critique_id


def called(standings: Sequence[Standing], value: VerdictValue) -> dict[UUID, tuple[int, ...]]:
    """The numbers of the clusters that stand as this, by explanation; none for an explanation without any."""
    found: dict[UUID, tuple[int, ...]] = {}
    for standing in standings:
        number = (standing.number,) if standing.value is value else ()
        found[standing.explanation_id] = found.get(standing.explanation_id, ()) + number
    return found


def material_of(run: Run) -> Material:
    return Material.model_validate(run.result[MATERIAL])
