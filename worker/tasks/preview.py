"""A preview: what an import would bring, told before anything of it is stored but a few small pictures.

It looks with the importer's own eyes, and tries the checkpoint with the registration's: what is sound here is taken
there.
"""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from sqlalchemy.orm import Session

from app.config import settings
from app.languages.messages import Message
from app.models import Run, Split
from app.models.preview import (
    EVERY_PROBLEM,
    CheckpointSeen,
    ClassSeen,
    ColumnSeen,
    PictureSeen,
    Preview,
    ProblemSeen,
)
from app.runs.parameters import ImportParameters, RegistrationParameters
from app.storage import storage
from worker.datasets.archives import ArchiveError
from worker.datasets.importing import Checked, CheckedImage, Problem, check, kept
from worker.method.answers import logits_of
from worker.tasks.brought import limits, scratch, the_folder
from worker.tasks.inputs import device
from worker.tasks.job import Job, RefusedError, Write
from worker.tasks.register import loaded
from worker.vision.architectures import ArchitectureError
from worker.vision.checkpoints import CheckpointError
from worker.vision.pictures import load_image
from worker.vision.preprocessing import to_tensor

SHOWN_PROBLEMS, SHOWN_CLASSES, SHOWN_VALUES, SHOWN_SIZES = 100, 12, 8, 5
SHOWN_BURNED_IN = 10
PICTURES_A_CLASS = 4
THUMBNAIL = 160  # pixels
TRIED = 32  # pictures on which the checkpoint answers: seconds, even where the model is large


def look(job: Job, parameters: ImportParameters) -> Write:
    with scratch(parameters) as space:
        try:
            folder = the_folder(parameters, Path(space))
            wanted = parameters.classes or None
            checked = check(folder, limits(), classes=wanted, patient_column=parameters.patient_column or None)
        except ArchiveError as error:
            folder = Path(space)
            checked = Checked([], [Problem(None, parameters.name, error.message)], [], [], "")
        job.check()  # what nobody waits for any more stores no pictures
        found = preview_of(parameters, folder, checked)

    def write(session: Session, run: Run) -> dict[str, Any]:
        del session
        run.result = {"preview": found.model_dump(mode="json")}
        return {}

    return write


def preview_of(parameters: ImportParameters, folder: Path, checked: Checked) -> Preview:
    images = checked.images
    problems = tuple(ProblemSeen(row=each.row, path=each.path, message=each.message) for each in checked.problems)
    burned_in = [image.row.path for image in images if image.burned_in]
    sizes = Counter(f"{image.width} × {image.height}" for image in images)
    return Preview(
        images=len(images),
        classes=tuple(class_seen(name, images) for name in checked.classes),
        sizes=tuple(sizes.most_common(SHOWN_SIZES)),
        distinct_sizes=len(sizes),
        columns=tuple(column_seen(name, images) for name in checked.attributes),
        patients=len({image.patient for image in images} - {None}),
        masks=sum(image.row.mask is not None for image in images),
        dicom=sum(image.is_dicom for image in images),
        burned_in=tuple(burned_in[:SHOWN_BURNED_IN]),
        burned_in_more=len(burned_in[SHOWN_BURNED_IN:]),
        pictures=tuple(pictures_of(folder, checked)),
        problems=problems[:SHOWN_PROBLEMS],
        problem_count=len(problems),
        problem_list=storage().put_upload(io.BytesIO(EVERY_PROBLEM.dump_json(problems))) if problems else "",
        checkpoint=checkpoint_seen(parameters.checkpoint, folder, checked) if parameters.checkpoint else None,
    )


def class_seen(name: str, images: Sequence[CheckedImage]) -> ClassSeen:
    splits = Counter(image.row.split for image in images if image.row.label == name)
    return ClassSeen(name=name, train=splits["train"], validation=splits["validation"], test=splits["test"])


def column_seen(name: str, images: Sequence[CheckedImage]) -> ColumnSeen:
    values = Counter(image.row.attributes.get(name, "") for image in images)
    return ColumnSeen(name=name, values=tuple(values.most_common(SHOWN_VALUES)), distinct=len(values))


def pictures_of(folder: Path, checked: Checked) -> Iterable[PictureSeen]:
    """A few of each class, spread over all of its rows."""
    for name in checked.classes[:SHOWN_CLASSES]:
        for image in spread([image for image in checked.images if image.row.label == name], PICTURES_A_CLASS):
            small = thumbnail(kept(folder / image.row.path, settings().max_image_pixels))
            blob = storage().put_upload(io.BytesIO(small))
            yield PictureSeen(blob=blob, path=image.row.path, class_name=name)


def spread(images: Sequence[CheckedImage], most: int) -> list[CheckedImage]:
    """At most so many, at equal distances in their order."""
    count = min(most, len(images))
    return [images[place * len(images) // count] for place in range(count)]


def thumbnail(data: bytes) -> bytes:
    picture = load_image(data, settings().max_image_pixels).convert("RGB")
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    held = io.BytesIO()
    picture.save(held, "PNG")
    return held.getvalue()


def checkpoint_seen(given: RegistrationParameters, folder: Path, checked: Checked) -> CheckpointSeen:
    """Whether it fits the classes, and how it answers on a few pictures, of the test split where there are some."""
    data_bytes = len(storage().get(given.weights))
    names = list(given.classes) or checked.classes
    if not names:
        return CheckpointSeen(bytes=data_bytes, problem=Message("It can be tried once the data set has classes."))
    try:
        model, preprocessing = loaded(given.model_copy(update={"classes": tuple(names)}), names)
    except (CheckpointError, ArchitectureError, RefusedError) as error:
        return CheckpointSeen(bytes=data_bytes, problem=error.message)
    split = next((each.value for each in reversed(Split) if any(i.row.split == each for i in checked.images)), "")
    images = spread([image for image in checked.images if image.row.split == split], TRIED)
    data = [kept(folder / image.row.path, settings().max_image_pixels) for image in images]
    logits = logits_of(model.to(device()), to_tensor(data, preprocessing, settings().max_image_pixels))
    labels = torch.tensor([names.index(image.row.label) for image in images])
    return CheckpointSeen(
        parameters=sum(weight.numel() for weight in model.parameters()),
        bytes=data_bytes,
        right=int((logits.argmax(1) == labels).sum()) if images else 0,
        tried=len(images),
        split=split,
    )
