from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field

from app.runs.parameters import AcceptanceBar, Loss, RealignmentParameters

Points = Annotated[float, Field(ge=0, le=100)]
# A number field that was left empty sends an empty text.
Optional = BeforeValidator(lambda given: None if given == "" else given)


class RealignmentForm(BaseModel):
    """What the page sends: shares in percentage points, switches only where they are on."""

    critique_id: UUID
    worst_group_rises: Points
    accuracy_falls_at_most: Points
    group_falls_at_most: Points
    agreement_rises: Annotated[Points | None, Optional] = None
    answers_flip_at_most: Points
    owed_at_most: Points
    loss: Loss
    epochs: int = Field(ge=1, le=1000)
    learning_rate: Annotated[float | None, Optional, Field(gt=0, le=1)] = None
    strength: Annotated[float | None, Optional, Field(ge=0)] = None
    consistency: Annotated[float | None, Optional, Field(ge=0)] = None
    batch_size: int = Field(ge=2, le=4096)
    balanced: bool = False
    control: bool = False
    seed: int = Field(ge=0)
    override: str = Field("", max_length=4000)

    def parameters(self) -> RealignmentParameters:
        return RealignmentParameters(
            critique_id=self.critique_id,
            loss=self.loss,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            strength=self.strength,
            consistency=self.consistency,
            batch_size=self.batch_size,
            balanced=self.balanced,
            control=self.control,
            bar=AcceptanceBar(
                worst_group_rises=self.worst_group_rises / 100,
                accuracy_falls_at_most=self.accuracy_falls_at_most / 100,
                group_falls_at_most=self.group_falls_at_most / 100,
                agreement_rises=None if self.agreement_rises is None else self.agreement_rises / 100,
                answers_flip_at_most=self.answers_flip_at_most / 100,
                owed_at_most=self.owed_at_most / 100,
            ),
            seed=self.seed,
            override=self.override.strip(),
        )
