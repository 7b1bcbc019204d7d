"""What the evidence for a class lies on, as the analysis of all its images stored it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.languages.catalogue import gettext
from app.languages.stored import stored
from app.models import Explanation, Run
from app.models.summary import SHORT, SUMMARIES, ClassSummary, Evidence
from app.runs.queries import results_of

NOTHING = ClassSummary(images=0, without_evidence=0)
T = TypeVar("T")


def summaries_of(analysis: Run) -> dict[UUID, ClassSummary]:
    """By class id; a class of which no image was explained has none."""
    return by_class(analysis.result.get(SUMMARIES))


def short_summaries(session: Session, analysis: Run) -> dict[UUID, ClassSummary]:
    """As ``summaries_of``, each figure with the first alone of the pictures behind it."""
    return by_class(*results_of(session, analysis.id, SHORT))


def by_class(kept: dict[str, Any] | None) -> dict[UUID, ClassSummary]:
    return {UUID(class_id): ClassSummary.model_validate(told) for class_id, told in (kept or {}).items()}


def summary_of(session: Session, analysis: Run, class_id: UUID) -> ClassSummary:
    """Of one class, whole."""
    (told,) = results_of(session, analysis.id, (SUMMARIES, str(class_id)))
    return ClassSummary.model_validate(told) if told else NOTHING


@dataclass(frozen=True)
class Asked:
    """Which figure an address asks for; without any, all pictures of the class are meant."""

    region: int | None = None  # its position in the summary
    sentence: int | None = None
    part: int | None = None  # of the sentence
    outside: bool = False

    @property
    def for_a_figure(self) -> bool:
        return self.outside or any(position is not None for position in (self.region, self.sentence, self.part))


@dataclass(frozen=True)
class Figure:
    """A figure's words and the evidence behind it, the most first."""

    text: str
    evidence: Sequence[Evidence]
    by_lvlm: bool = False  # whether words of an LVLM stand in it, in quotation marks
    sentence: str = ""  # in which it stands


def figure_of(told: ClassSummary, asked: Asked) -> Figure | None:
    """None where the summary has no such figure."""
    if asked.outside:
        return Figure(gettext("outside every region"), told.outside.evidence) if told.outside else None
    if asked.region is not None:
        region = at(told.regions, asked.region)
        return Figure(stored(region.quoted), region.evidence, by_lvlm=not region.by_look) if region else None
    sentence = at(told.sentences, asked.sentence)
    part = at(sentence.parts, asked.part) if sentence else None
    if sentence is None or part is None or not part.evidence:
        return None
    return Figure(
        stored(part.text).strip(),
        part.evidence,
        by_lvlm="“" in sentence.text,
        sentence="".join(stored(each.text) for each in sentence.parts),
    )


def at(things: Sequence[T], position: int | None) -> T | None:
    return things[position] if position is not None and 0 <= position < len(things) else None


@dataclass(frozen=True)
class Examples:
    """Explanations of one class: with the evidence where most of the class has it, and where it does not."""

    typical: tuple[Explanation, ...] = ()
    untypical: tuple[Explanation, ...] = ()


def examples_of(session: Session, summaries: Sequence[ClassSummary]) -> list[Examples]:
    """In the order of the summaries; one statement for all."""
    wanted = [explanation for told in summaries for explanation in (*told.typical, *told.untypical)]
    rows = session.scalars(select(Explanation).where(Explanation.id.in_(wanted)).options(joinedload(Explanation.image)))
    known = {explanation.id: explanation for explanation in rows}
    return [
        Examples(tuple(known[each] for each in told.typical), tuple(known[each] for each in told.untypical))
        for told in summaries
    ]
