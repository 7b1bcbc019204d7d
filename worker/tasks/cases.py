"""Explanations as the LVLM is shown them: marked pictures, with the words of the specification."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.config import settings
from app.db import transaction
from app.models import Explanation, Image, LVLMCall, Project
from app.storage import storage
from worker import lvlm
from worker.lvlm import LVLM
from worker.method.critic import Case, ClassSpecification
from worker.method.marks import draw_marks
from worker.tasks.inputs import device, load_assignment
from worker.tasks.job import RefusedError
from worker.vision.pictures import load_image

NO_LVLM = "none"


@dataclass(frozen=True)
class Explained:
    """One explanation with its image's class and its clusters' ids by number."""

    id: UUID
    class_id: UUID
    class_name: str
    image_blob: str
    assignment: str
    clusters: dict[int, UUID]


def explained(session: Session, condition: object) -> list[Explained]:
    """In the order of the alignment set."""
    statement = (
        select(Explanation)
        .where(condition)  # type: ignore[arg-type]  # any SQL expression on explanations
        .options(joinedload(Explanation.image).joinedload(Image.target_class), joinedload(Explanation.clusters))
        .order_by(Explanation.position)
    )
    return [
        Explained(
            id=row.id,
            class_id=row.image.class_id,
            class_name=row.image.target_class.name,
            image_blob=row.image.blob,
            assignment=row.assignment,
            clusters={cluster.number: cluster.id for cluster in row.clusters},
        )
        for row in session.scalars(statement).unique()
    ]


def cases(rows: Sequence[Explained], specification: dict[UUID, ClassSpecification]) -> list[Case]:
    """One case an explanation; a class without words is shown with an empty specification."""
    made = []
    for row in rows:
        assignment = load_assignment(row.assignment).astype("int8") - 1
        marks = draw_marks(load_image(storage().get(row.image_blob)), assignment)
        words = specification.get(row.class_id, ClassSpecification(row.class_name, "", "", ""))
        made.append(Case(marks=marks, label=row.class_name, specification=words))
    return made


@lru_cache(maxsize=1)
def loaded_lvlm(spec: str, run_id: UUID) -> LVLM:
    """The model stays in the process for the run; every call that leaves the machine is logged under that run."""

    def log_call(call: lvlm.Call) -> None:
        with transaction() as session:
            session.add(LVLMCall(run_id=run_id, host=call.host, images=call.images, bytes=call.bytes))

    return lvlm.load(
        spec,
        device=str(device()),
        allowed_hosts=settings().allowed_hosts,
        on_call=log_call,
        key=settings().lvlm_key,
    )


def lvlm_of(session: Session, project_id: UUID) -> str:
    spec = session.get_one(Project, project_id).lvlm
    if spec == NO_LVLM:
        raise RefusedError("This project has no LVLM, so there is no critic to ask. People judge alone, under Review.")
    return spec
