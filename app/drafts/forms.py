"""What is typed on the page New project, and what is wrong with it."""

from typing import Annotated, BinaryIO

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from app.languages.catalogue import gettext
from app.languages.figures import count
from app.languages.mistakes import in_words
from app.projects.actions import ProjectError, cleaned, free_name
from app.projects.lvlm import LVLMNameError, usable_lvlm
from app.runs.parameters import ImportParameters, Input, RegistrationParameters, numbers

LONGEST_TASK = 4000
LONGEST_WORD = 200
MOST_CLASSES = 1000
LONGEST_HEADER = 100 * 2**20  # bytes: safetensors' own limit
ZIP = b"PK\x03\x04"
PICKLES = (b"PK", b"\x80")  # what torch.save writes, today and long ago
# Those that people bring most often; the worker knows all of torchvision's and timm's classification models.
ARCHITECTURES = (
    "mlp",
    "small_cnn",
    "torchvision/resnet18",
    "torchvision/resnet50",
    "torchvision/densenet121",
    "torchvision/efficientnet_b0",
    "torchvision/mobilenet_v3_large",
    "torchvision/vgg16",
    "torchvision/vit_b_16",
    "torchvision/convnext_tiny",
    "timm/tf_efficientnet_lite0",
    "timm/resnet50",
    "timm/vit_base_patch16_224",
)
TEXTS = (
    "name",
    "task",
    "classes",
    "patient_column",
    "lvlm",
    "architecture",
    "size",
    "channels",
    "mean",
    "std",
)


class Sent(BaseModel):
    """A file that was sent, kept under a name of its own until the draft is made or removed."""

    filename: str
    blob: str
    bytes: int


class Draft(BaseModel):
    """What was typed, word for word, and what was sent. The numbers are those that most trainings use."""

    name: str = ""
    task: str = ""
    classes: str = ""  # one a line, in the order of the model's outputs; empty: as the data set has them
    patient_column: str = "patient_id"
    lvlm: str = ""
    architecture: str = ""
    size: str = "224"
    channels: str = "3"
    mean: str = "0.485, 0.456, 0.406"
    std: str = "0.229, 0.224, 0.225"
    dataset: Sent | None = None
    weights: Sent | None = None

    @property
    def class_names(self) -> list[str]:
        return [line.strip() for line in self.classes.splitlines() if line.strip()]


async def get_typed(request: Request) -> Draft:
    form = await request.form()
    return Draft(**{name: value for name in TEXTS if isinstance(value := form.get(name), str)})


Typed = Annotated[Draft, Depends(get_typed)]
Mistakes = dict[str, str]  # field and sentence


def mistakes_in(session: Session, draft: Draft, *, has_dataset: bool, has_weights: bool) -> Mistakes:
    """Every one at once, so that nobody sends a large file three times."""
    found: Mistakes = {}
    try:
        free_name(session, draft.name)
    except ProjectError as error:
        found["name"] = str(error)
    try:
        usable_lvlm(draft.lvlm)
    except LVLMNameError as error:
        found["lvlm"] = str(error)
    if len(draft.task) > LONGEST_TASK:
        found["task"] = gettext("At most %(most)s characters.", most=count(LONGEST_TASK))
    if len(draft.patient_column) > LONGEST_WORD:
        found["patient_column"] = gettext("A column's name has at most %(most)s characters.", most=LONGEST_WORD)
    if told := wrong_classes(draft):
        found["classes"] = told
    if not has_dataset:
        found["dataset"] = gettext("Choose the zip with the pictures.")
    return found | (wrong_input(draft) if has_weights else {})


def wrong_classes(draft: Draft) -> str:
    names = draft.class_names
    if len(names) > MOST_CLASSES or any(len(name) > LONGEST_WORD for name in names):
        return gettext(
            "At most %(most)s classes, each of at most %(longest)s characters.",
            most=count(MOST_CLASSES),
            longest=LONGEST_WORD,
        )
    try:
        cleaned(names or ["one", "two"])
    except ProjectError as error:
        return str(error)
    return ""


def wrong_input(draft: Draft) -> Mistakes:
    """Of what is asked for a checkpoint alone."""
    found: Mistakes = {}
    if not draft.architecture.strip() or len(draft.architecture) > LONGEST_WORD:
        found["architecture"] = gettext("Name the architecture that the weights belong to.")
    try:
        input_of(draft)
    except ValidationError as error:
        for each in error.errors():
            field = str(each["loc"][0]) if each["loc"] else "mean"
            found[field] = f"{in_words(each)}."
    except ValueError as error:
        found["mean"] = str(error)
    return found


def input_of(draft: Draft) -> Input:
    """Raises ValueError, of which pydantic's ValidationError is one."""
    channels = int(draft.channels) if draft.channels in {"1", "3"} else 0
    mean, std = (numbers(text, channels) for text in (draft.mean, draft.std))
    return Input.model_validate({"size": draft.size.strip(), "channels": channels, "mean": mean, "std": std})


def preview_asked(draft: Draft) -> ImportParameters:
    """A look at the draft's files; whoever calls has found no mistakes in it."""
    assert draft.dataset is not None
    return ImportParameters(
        name=stem(draft.dataset.filename),
        blob=draft.dataset.blob,
        patient_column=draft.patient_column.strip(),
        classes=tuple(draft.class_names),
        checkpoint=checkpoint_asked(draft, draft.class_names),
        preview=True,
    )


def checkpoint_asked(draft: Draft, classes: list[str]) -> RegistrationParameters | None:
    if draft.weights is None:
        return None
    return RegistrationParameters(
        name=stem(draft.weights.filename),
        architecture=draft.architecture.strip(),
        input=input_of(draft),
        classes=tuple(classes),
        weights=draft.weights.blob,
        filename=draft.weights.filename,
        analyse=True,
    )


def stem(filename: str) -> str:
    """A name for what a file holds; browsers may send a whole path."""
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    return (last.rsplit(".", 1)[0] or last)[:LONGEST_WORD]


def no_zip(file: BinaryIO) -> str:
    """What is wrong with a data set by its first bytes, whatever it is called; the file stands at its start again."""
    start = file.read(len(ZIP))
    file.seek(0)
    return (
        "" if start == ZIP else gettext("This is no zip, or it is empty. Pack the folder with the pictures as a zip.")
    )


def no_safetensors(file: BinaryIO) -> str:
    """The same of weights: eight bytes with the length of a header, which is JSON."""
    start = file.read(9)
    file.seek(0)
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") <= LONGEST_HEADER:
        return ""
    how = gettext("Save them with safetensors.torch.save_file(model.state_dict(), ...).")
    if start.startswith(PICKLES):
        return gettext(
            "This looks like a file of torch.save, which can hold code; it is not read here. %(how)s", how=how
        )
    return gettext("This is no safetensors file. %(how)s", how=how)
