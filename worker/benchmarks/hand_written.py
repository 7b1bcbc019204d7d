"""Sixty specifications as busy people type them, with what each says of the three things a cluster can cover.

They imitate clinicians and engineers, each written one by one; no clinician wrote them. They are for measuring, never
for training: their author had not seen the phrases that the embedded LVLM learns from. A thing is spurious where the
texts name it so or plainly cover it ("all but the mole"). A thing that no text names is relevant where
something is named as spurious, for nothing is spurious that the expert did not name; where only what is relevant is
said, the rest is spurious, as the critic's rule has it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

PATH = Path(__file__).with_suffix(".json")
STRICT = ConfigDict(strict=True, extra="forbid")

Domain = Literal["digits", "radiograph", "skin"]
Word = Literal["spurious", "relevant"]


@dataclass(frozen=True)
class Truth:
    """What a careful reader takes a specification to say of each thing in the domain's pictures.

    artefact:   the grey square in a corner; the lead side marker; the coloured patch beside the lesion.
    core:       the strokes of the digit; the knee joint; the lesion.
    background: the empty black; the dark area and soft tissue beside the bone; the normal skin around the lesion.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    artefact: Word
    core: Word
    background: Word


@dataclass(frozen=True)
class HandWritten:
    """The fields of one class as a person filled them in: any text may be empty."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    id: str
    domain: Domain
    class_name: Annotated[str, Field(alias="class")]
    relevant: str
    spurious: str
    notes: str
    truth: Truth

    @property
    def is_inverted(self) -> bool:
        """The artefact is what the model should use, and the core what it should ignore."""
        return self.truth.artefact == "relevant" and self.truth.core == "spurious"


def hand_written(path: Path = PATH) -> list[HandWritten]:
    """All of them in the order of the file. Raises ValidationError for a missing, unknown or wrongly typed field."""
    return TypeAdapter(list[HandWritten]).validate_json(path.read_bytes())
