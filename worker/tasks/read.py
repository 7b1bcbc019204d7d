"""Import of a data set: every row is checked before anything is stored; a broken set leaves nothing behind."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.config import settings
from app.db import reading
from app.languages.messages import Message, as_json
from app.models import Dataset, Image, Project, Run, Split, TargetClass
from app.runs.parameters import ImportParameters
from app.storage import storage
from worker.datasets.importing import Checked, CheckedImage, check, kept
from worker.tasks.brought import limits, scratch, the_folder
from worker.tasks.job import Job, Plan, RefusedError, Write

SHOWN_PROBLEMS = 200
ROWS_AT_ONCE = 1000


def plan(session: Session, run: Run) -> Plan:
    del session, run
    return Plan(1, 1)


def work(job: Job) -> Write:
    parameters = job.parameters(ImportParameters)
    if parameters.preview:
        from worker.tasks import preview  # it tries the checkpoint, for which it needs torch

        return preview.look(job, parameters)
    with reading() as session:
        known = list(
            session.scalars(
                select(TargetClass.name).where(TargetClass.project_id == job.project_id).order_by(TargetClass.position)
            )
        )
    with scratch(parameters) as space:
        folder = the_folder(parameters, Path(space))
        checked = check(
            folder,
            limits(),
            classes=known or parameters.classes or None,
            patient_column=parameters.patient_column or None,
        )
        if checked.problems:
            raise refusal(checked)
        job.check()
        # Blobs before rows: a row never names a blob that is not there. What a crash leaves is found by its hash again.
        for image in checked.images:
            store(folder, image)
    return keep(parameters, checked)


def store(folder: Path, image: CheckedImage) -> None:
    for path in filter(None, (image.row.path, image.row.mask)):
        storage().put(kept(folder / path, settings().max_image_pixels))


def refusal(checked: Checked) -> RefusedError:
    """What is wrong, by row; the run keeps the list."""
    shown = [
        {"row": problem.row, "path": problem.path, "message": as_json(problem.message)}
        for problem in checked.problems[:SHOWN_PROBLEMS]
    ]
    first, number = checked.problems[0], len(checked.problems)
    where = first.path
    if first.row is not None:
        where = Message("row %(row)s, %(path)s", row=str(first.row), path=first.path)
    return RefusedError(
        Message(
            "%(number)s problems were found, so nothing was stored. The first, %(where)s: %(what)s",
            number=number,
            where=where,
            what=first.message,
        ),
        result={"problems": shown, "problem_count": number},
    )


def keep(parameters: ImportParameters, checked: Checked) -> Write:
    def write(session: Session, run: Run) -> dict[str, Any]:
        # Two imports at once must not both find the project empty.
        session.get(Project, run.project_id, with_for_update=True)
        burned_in = sum(image.burned_in for image in checked.images)
        same = (Dataset.project_id == run.project_id, Dataset.digest == checked.digest)
        already = session.scalar(select(Dataset).where(*same))
        if already is not None:
            run.result = {
                "dataset_id": str(already.id),
                "images": already.images,
                "already_there": True,
                "burned_in": burned_in,
            }
            return {}
        classes = ensure_classes(session, run.project_id, checked.classes)
        dataset = Dataset(
            project_id=run.project_id,
            run_id=run.id,
            digest=checked.digest,
            name=parameters.name,
            attributes=list(checked.attributes),
            images=len(checked.images),
            has_masks=any(image.row.mask for image in checked.images),
        )
        session.add(dataset)
        session.flush()
        rows = [image_row(dataset.id, classes, image) for image in checked.images]
        for first in range(0, len(rows), ROWS_AT_ONCE):
            session.execute(insert(Image), rows[first : first + ROWS_AT_ONCE])
        run.result = {
            "dataset_id": str(dataset.id),
            "images": len(rows),
            "already_there": False,
            "burned_in": burned_in,
        }
        return {}

    return write


def ensure_classes(session: Session, project_id: UUID, names: list[str]) -> dict[str, UUID]:
    """The project's classes by name; the first data set of a project brings them."""
    statement = select(TargetClass.name, TargetClass.id).where(TargetClass.project_id == project_id)
    known: dict[str, UUID] = dict(session.execute(statement).all())
    if known:
        return known
    for position, name in enumerate(names):
        target = TargetClass(project_id=project_id, position=position, name=name)
        session.add(target)
        session.flush()
        known[name] = target.id
    return known


def image_row(dataset_id: UUID, classes: dict[str, UUID], image: CheckedImage) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "dataset_id": dataset_id,
        "position": image.row.number,
        "path": image.row.path,
        "class_id": classes[image.row.label],
        "split": Split(image.row.split),
        "attributes": dict(image.row.attributes),
        "patient": image.row.patient,
        "blob": image.digest,
        "mask_blob": image.mask_digest,
        "width": image.width,
        "height": image.height,
    }
