from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from app.languages.catalogue import gettext
from app.runs.parameters import EntryText

LONGEST = 4000  # characters of a field: the critic reads all of them with every picture


class WordsForm(BaseModel):
    """The cards of all classes as the page sends them: four lists in the same order."""

    class_id: list[UUID]
    spurious: list[str]
    relevant: list[str]
    notes: list[str]

    @model_validator(mode="after")
    def match(self) -> Self:
        texts = (self.spurious, self.relevant, self.notes)
        if any(len(each) != len(self.class_id) for each in texts):
            raise ValueError(gettext("every class needs all its fields"))
        if any(len(text) > LONGEST for each in texts for text in each):
            raise ValueError(gettext("a field may have %(most)s characters", most=LONGEST))
        return self

    def entries(self) -> tuple[EntryText, ...]:
        rows = zip(self.class_id, self.spurious, self.relevant, self.notes, strict=True)
        return tuple(
            EntryText(class_id=class_id, spurious=tidy(spurious), relevant=tidy(relevant), notes=tidy(notes))
            for class_id, spurious, relevant, notes in rows
        )


def tidy(text: str) -> str:
    """Browsers send the ends of lines as CR LF."""
    return text.replace("\r\n", "\n").strip()


class SaveForm(WordsForm):
    base_version: int = Field(0, ge=0, description="the version the person began from; 0: there was none")
    reason: str = Field("", max_length=LONGEST)


class TrialForm(WordsForm):
    try_class: UUID
