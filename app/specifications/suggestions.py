"""Regions that the model uses and the specification does not speak of yet, to be taken over with one click."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.behaviour.evidence import NOTHING
from app.models.summary import ClassSummary, Region
from app.runs.parameters import EntryText

MOST = 4
LIGHTEST = 0.02  # share of the evidence


@dataclass(frozen=True)
class Suggestion:
    region: Region
    pictures: int  # explained pictures of the class that have evidence


def suggestions_for(entry: EntryText, summaries: Mapping[UUID, ClassSummary]) -> list[Suggestion]:
    """The heaviest regions of the class whose name stands in neither field."""
    said = f"{entry.spurious}\n{entry.relevant}".lower()
    mine = summaries.get(entry.class_id, NOTHING)
    new = [
        region for region in mine.regions if region.name.lower() not in said and (region.share.value or 0) >= LIGHTEST
    ]
    return [Suggestion(region, mine.images) for region in new[:MOST]]


def take_over(text: str, feature: str) -> str:
    """The feature written behind what a field says already."""
    if feature.lower() in text.lower():
        return text
    return f"{text.rstrip().rstrip(',;.')}, {feature}" if text.strip() else feature
