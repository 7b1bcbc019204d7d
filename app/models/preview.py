"""What was understood of the files that a project is to be made from, as a preview's run keeps it."""

from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from app.languages.messages import as_json, from_json
from app.models.figures import Stored

Told = Annotated[str, PlainValidator(from_json), PlainSerializer(as_json)]  # in the reader's language, on a page


class ClassSeen(Stored):
    """How many pictures of a class there are in each split."""

    name: str
    train: int
    validation: int
    test: int

    @property
    def images(self) -> int:
        return self.train + self.validation + self.test


class ColumnSeen(Stored):
    """A column of the manifest besides those that every one has: its commonest values, with how many rows each."""

    name: str
    values: tuple[tuple[str, int], ...]
    distinct: int


class PictureSeen(Stored):
    blob: str  # PNG, small
    path: str
    class_name: str


class ProblemSeen(Stored):
    row: int | None
    path: str
    message: Told


EVERY_PROBLEM = TypeAdapter(tuple[ProblemSeen, ...])


class CheckpointSeen(Stored):
    """``problem``: why it can't be used, empty where it can; ``right`` of ``tried`` pictures of ``split``."""

    parameters: int = 0
    bytes: int
    right: int = 0
    tried: int = 0
    split: str = ""
    problem: Told = ""


class Preview(Stored):
    images: int
    classes: tuple[ClassSeen, ...]
    sizes: tuple[tuple[str, int], ...]  # "640 × 480" with how many, the commonest first
    distinct_sizes: int
    columns: tuple[ColumnSeen, ...]
    patients: int
    masks: int
    dicom: int = 0  # how many of the images were DICOM files
    burned_in: tuple[str, ...] = ()  # the first paths whose DICOM header says that text is written into the picture
    burned_in_more: int = 0
    pictures: tuple[PictureSeen, ...]
    problems: tuple[ProblemSeen, ...]  # the first ones
    problem_count: int
    problem_list: str = ""  # blob: all of them, JSON of ``EVERY_PROBLEM``
    checkpoint: CheckpointSeen | None = None

    @property
    def is_sound(self) -> bool:
        return not self.problem_count and not (self.checkpoint and self.checkpoint.problem)
