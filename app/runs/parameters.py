"""What each kind of run is asked to do; stored with the run, so that it can be repeated."""

import math
from typing import Annotated, Literal, Self, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from pydantic_core import PydanticCustomError

from app.languages.catalogue import gettext
from app.storage import NAME

Strategy = Literal["low_entropy", "low_entropy_per_class", "random"]
Loss = Literal["consistency", "normalised_rrr", "plain_rrr"]
CheckDomain = Literal["digits", "radiograph", "skin"]
CHECK_DOMAINS: tuple[CheckDomain, ...] = get_args(CheckDomain)
Share = Annotated[float, Field(gt=0, le=1)]
Blob = Annotated[str, Field(pattern=NAME)]
MOST_ERROR = 0.5  # of decided verdicts that may be aimed at


class Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Input(Parameters):
    """How an image becomes a model's input."""

    size: int = Field(ge=8, le=1024)
    channels: Literal[1, 3]
    mean: tuple[FiniteFloat, ...]
    std: tuple[Annotated[FiniteFloat, Field(gt=0)], ...]

    @model_validator(mode="after")
    def has_one_number_a_channel(self) -> Self:
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) != self.channels:
                found = {"name": name, "given": len(numbers), "channels": self.channels}
                raise PydanticCustomError("channels", "{name} has {given} numbers, one for each of {channels}", found)
        return self


def numbers(text: str, channels: int) -> tuple[float, ...]:
    """``0.5, 0.4`` as numbers; one stands for every channel. Raises ValueError with a sentence."""
    try:
        given = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(gettext("%(text)s is not a list of numbers.", text=text)) from error
    return given * channels if len(given) == 1 else given


class RegistrationParameters(Parameters):
    name: str
    architecture: str
    input: Input
    classes: tuple[str, ...] = Field(description="the order of the model's outputs")
    weights: Blob = Field(description="blob of the file as it was given")
    filename: str
    parent_id: UUID | None = None
    analyse: bool = Field(False, description="explain it as soon as it stands")


class ImportParameters(Parameters):
    """A folder or zip on this machine (path), or an uploaded zip (blob)."""

    name: str
    path: str = ""
    blob: Blob | Literal[""] = ""
    patient_column: str = "patient_id"
    classes: tuple[str, ...] = Field((), description="the labels allowed where the project has none yet; empty: any")
    checkpoint: RegistrationParameters | None = Field(None, description="brought along: it follows the images")
    preview: bool = Field(False, description="say what was understood, and store nothing")


class TrainingParameters(Parameters):
    name: str
    architecture: str
    input: Input
    epochs: int = Field(10, ge=1, le=1000)
    learning_rate: float = Field(1e-3, gt=0)
    batch_size: int = Field(64, ge=1)
    pretrained: bool = False
    balanced: bool = Field(False, description="show every class equally often, and draw the line between them so")
    seed: int = 0


class AnalysisParameters(Parameters):
    checkpoint_id: UUID
    count: int = Field(200, ge=1)
    strategy: Strategy = "low_entropy"
    components: int | None = Field(5, ge=1, le=6, description="clusters an image; none: the system chooses")
    sharpening: float | None = Field(1.0, ge=0.5, le=4, description="power of the evidence; none: the system chooses")
    support: Share | None = Field(0.95, description="of a cluster's evidence, on its pixels; none: the system chooses")
    seed: int = 0


class EntryText(Parameters):
    """What an unsaved specification says of one class."""

    class_id: UUID
    spurious: str = ""
    relevant: str = ""
    notes: str = ""


class CritiqueParameters(Parameters):
    analysis_id: UUID
    specification_id: UUID
    uncertain_from: float = Field(0.35, ge=0, le=1)
    uncertain_to: float = Field(0.65, ge=0, le=1)
    passes: int = Field(1, ge=1, le=5, description="how often each picture is asked about, in another manner each time")
    examples: tuple[tuple[str, str], ...] = Field((), description="critic text and verdict, as they stood")

    @model_validator(mode="after")
    def is_uncertain_between(self) -> Self:
        if self.uncertain_from > self.uncertain_to:
            raise PydanticCustomError("thresholds", "uncertain_from must not be above uncertain_to")
        return self


class CalibrationParameters(Parameters):
    """How far the probabilities of a critique's verdicts are borne out by people's answers."""

    critique_id: UUID
    target_error: float = Field(0.05, gt=0, lt=MOST_ERROR, description="of the verdicts that are not left uncertain")
    seed: int = Field(0, ge=0)


class TrialParameters(Parameters):
    """Six images under words that are not saved yet."""

    analysis_id: UUID
    entries: tuple[EntryText, ...]
    explanation_ids: tuple[UUID, ...] = Field(min_length=1)
    examples: tuple[tuple[str, str], ...] = ()


class ConsensusParameters(Parameters):
    """What a critique's verdicts and people's reviews say of each other."""

    critique_id: UUID
    answers: int = Field(0, ge=0, description="how many people had given under this critique when it was asked for")
    seed: int = 0


class CheckParameters(Parameters):
    """Which planted cases the project's LVLM is asked about."""

    domains: tuple[CheckDomain, ...] = Field(CHECK_DOMAINS, min_length=1)
    cases: int = Field(12, ge=4, le=500, description="pictures of each domain, every one shown in ten ways")
    seed: int = Field(0, ge=0)


class HoneypotParameters(Parameters):
    """In how many images of a critique an artefact is planted; each is asked about twice."""

    critique_id: UUID
    count: int = Field(12, ge=1, le=500)
    seed: int = Field(0, ge=0)


# Where so much is reached no further rise is asked for: above it a rise is often not possible, and always within noise.
NEARLY_ALL = 0.95


class AcceptanceBar(Parameters):
    """Written down before the training starts, in shares of 1.

    On top of what may fall, so many right answers may go as were owed to the spurious regions alone, by group where
    groups are known: it is measured before the training and stands in its record (``GuardRecord.owed``). Were what the
    model rightly goes by called spurious, nearly all would be owed; ``owed_at_most`` keeps that from passing.
    """

    worst_group_rises: float = 0.05
    accuracy_falls_at_most: float = 0.02
    group_falls_at_most: float = 0.05
    agreement_rises: float | None = Field(
        None, description="of the answers with and without the spurious clusters; none: not asked for"
    )
    answers_flip_at_most: float = Field(0.10, description="when the spurious clusters are taken away")
    owed_at_most: float | None = Field(
        None,
        description="of the answers owed to the spurious regions alone, so many may go, and no more than are certain, "
        "the lower end of the interval; none: all that were counted, as in bars from before this was asked",
    )

    @property
    def smallest_group(self) -> int:
        """Pictures of the smallest group that is judged: in one of fewer a single answer would decide."""
        if self.group_falls_at_most <= 0:
            return 0
        return math.ceil(round(1 / self.group_falls_at_most, 6))  # of 20 with 0.05, whatever floats make of it


# What is asked where nobody says otherwise. A bar that was stored before one of these was asked for has none.
BAR = AcceptanceBar(agreement_rises=0.05, owed_at_most=0.20)


class RealignmentParameters(Parameters):
    critique_id: UUID
    loss: Loss = "consistency"
    epochs: int = Field(10, ge=1, le=1000)
    learning_rate: float | None = Field(None, description="none: the method's default")
    strength: float | None = Field(None, description="lambda of the right-reasons losses; none: the method's default")
    consistency: float | None = Field(None, description="weight of ||f(x) - f(x')||^2; none: the method's default")
    batch_size: int = Field(64, ge=2)
    balanced: bool = Field(False, description="show every class equally often, and draw the line between them so")
    control: bool = Field(True, description="train once more without correction, to compare with")
    bar: AcceptanceBar = BAR
    seed: int = 0
    override: str = Field("", max_length=4000, description="why it starts under the trust bar: an owner's word")


class EvaluationParameters(Parameters):
    checkpoint_ids: tuple[UUID, ...] = Field(min_length=1)
    splits: tuple[Literal["train", "validation", "test"], ...] = ("validation", "test")
    critique_id: UUID | None = Field(None, description="its corrective masks are taken away in the settling test")
    seed: int = 0


class ExportParameters(Parameters):
    """An approved checkpoint, to be written as an ONNX file."""

    checkpoint_id: UUID
