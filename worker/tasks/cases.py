"""Explanations as the LVLM is shown them: marked pictures, with the words of the specification."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.check.standing import IDENTITY
from app.config import settings
from app.db import transaction
from app.models import Explanation, Image, LVLMCall, Project, Run
from app.projects.lvlm import NONE
from app.storage import storage
from worker.lvlm import LVLM, Call, Identified, Patience, load
from worker.lvlm.cache import CachedLVLM
from worker.lvlm.openai_api import OpenAILVLM
from worker.method.critic import Case, ClassSpecification
from worker.method.passes import Subject, in_passes
from worker.tasks.answers import AnswerFolder
from worker.tasks.inputs import device, load_assignment
from worker.vision.pictures import load_image


@dataclass(frozen=True)
class Explained:
    """One explanation with its image's class, and its clusters' ids and influence by number."""

    id: UUID
    class_id: UUID
    class_name: str
    image_blob: str
    assignment: str
    clusters: dict[int, UUID]
    influence: dict[int, float]


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
            influence={cluster.number: cluster.influence for cluster in row.clusters},
        )
        for row in session.scalars(statement).unique()
    ]


def cases(rows: Sequence[Explained], specification: dict[UUID, ClassSpecification]) -> list[Case]:
    """One case an explanation, as it is asked about where it is asked once."""
    return [in_passes(subject, 1)[0].case for subject in subjects(rows, specification)]


def subjects(rows: Sequence[Explained], specification: dict[UUID, ClassSpecification]) -> list[Subject]:
    """One an explanation; a class without words is shown with an empty specification."""
    return [
        Subject(
            image=load_image(storage().get(row.image_blob), settings().max_image_pixels),
            assignment=load_assignment(row.assignment).astype("int8") - 1,
            label=row.class_name,
            specification=specification.get(row.class_id, ClassSpecification(row.class_name, "", "", "")),
        )
        for row in rows
    ]


def keep_lvlm(session: Session, run: Run) -> str:
    """The project's LVLM, kept with the run: another that is chosen meanwhile does not answer the rest of it."""
    name = session.get_one(Project, run.project_id).lvlm
    run.result = {**run.result, "lvlm": name}
    return name


def kept_lvlm(session: Session, run_id: UUID) -> str:
    return str(session.get_one(Run, run_id).result["lvlm"])


def keep_identity(run: Run, name: str) -> None:
    """Which weights gave the words of a run, kept with it, to be compared with those that were checked."""
    if name != NONE:
        run.result = {**run.result, IDENTITY: loaded_lvlm(name).identity}


def lvlm_for(run_id: UUID, name: str) -> LVLM:
    """The LVLM of that name; every call that leaves the machine is logged under the run.

    What it has answered before, in whichever run, is taken from the data folder.
    """
    told = asked_lvlm(run_id, name)
    limit = settings().lvlm_cache_bytes
    return CachedLVLM(told, answer_folder(settings().data, limit)) if limit and told.identity else told


def asked_lvlm(run_id: UUID, name: str) -> Identified:
    """As ``lvlm_for``, but whatever it has answered before, it is asked again."""
    model = loaded_lvlm(name)
    return model.telling(partial(log_call, run_id)) if isinstance(model, OpenAILVLM) else model


@lru_cache
def answer_folder(data: Path, limit: int) -> AnswerFolder:
    return AnswerFolder(data / "cache" / "answers", limit)


@lru_cache(maxsize=1)
def loaded_lvlm(name: str) -> Identified:
    """It stays in the process, whichever run asks it; loading takes long, and a server's rate limit is one for all."""
    known = settings()
    return load(
        name,
        device=str(device()),
        allowed_hosts=known.allowed_hosts,
        key=known.lvlm_key,
        patience=Patience(
            timeout=known.lvlm_timeout_seconds,
            tries=known.lvlm_tries,
            per_minute=known.lvlm_requests_per_minute,
        ),
    )


def log_call(run_id: UUID, call: Call) -> None:
    with transaction() as session:
        session.add(LVLMCall(run_id=run_id, host=call.host, images=call.images, bytes=call.bytes, created_at=call.at))
