"""What the API answers and takes, as JSON, of what experts and judge say, and of how far the judge is trusted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app.api.shapes import In, Name, Out, Words
from app.models import Answer, Source, Specification, TargetClass, VerdictValue
from app.models.figures import Estimate
from app.review.forms import NoteText


class EntryIn(In):
    class_name: Name
    spurious: Words = Field("", description="the model should ignore")
    relevant: Words = Field("", description="the model should use")
    notes: Words = ""


class SpecificationIn(In):
    entries: list[EntryIn] = Field(min_length=1, description="one for each class")
    reason: Words = ""


class EntryOut(BaseModel):
    class_id: UUID
    class_name: str
    spurious: str
    relevant: str
    notes: str


class SpecificationOut(BaseModel):
    id: UUID
    version: int
    reason: str
    created_at: datetime
    entries: list[EntryOut]

    @classmethod
    def of(cls, version: Specification, classes: Sequence[TargetClass]) -> "SpecificationOut":
        stored = {entry.class_id: entry for entry in version.entries}
        return cls(
            id=version.id,
            version=version.version,
            reason=version.reason,
            created_at=version.created_at,
            entries=[
                EntryOut(
                    class_id=target.id,
                    class_name=target.name,
                    spurious=entry.spurious,
                    relevant=entry.relevant,
                    notes=entry.notes,
                )
                for target in classes
                if (entry := stored.get(target.id))
            ],
        )


class VerdictOut(BaseModel):
    cluster_id: UUID
    explanation_id: UUID
    image_id: UUID
    number: int
    share: float = Field(description="of the positive evidence")
    effect: float = Field(description="fall of the probability of the image's label when the cluster is covered")
    odds_fall: float | None = Field(
        description="fall of its log-odds, in nats; none in analyses that did not measure it"
    )
    place: str
    words: str
    value: VerdictValue
    p_spurious: float
    p_calibrated: float | None = Field(description="what P(spurious) has come to, by people's answers on other images")
    agreement: float | None = Field(description="share of the passes that agree with most; none: it was asked once")
    text: str = Field(description="the critic's words on this cluster")
    reason: str
    flag: str = Field(
        description="how the verdict contradicts the critic's words or the specification; empty: it does not"
    )
    stands: VerdictValue = Field(description="people's word where there is one, else the consensus's, else the judge's")
    stands_p_spurious: float = Field(description="of what stands: 0 or 1 where people have said so")
    source: Source = Field(description="whose word stands: a person's, the probe's of similar clusters, the judge's")
    overruled: bool = Field(description="the newest consensus says the opposite of what the judge was sure of")
    reason_id: UUID | None = Field(description="the reviewed cluster without which the consensus would say otherwise")
    nearest: list[UUID] = Field(description="the clusters of other images that the consensus finds most similar")
    reviewed: bool


class DifferenceOut(Out):
    kind: int | None = Field(description="number of the kind of region; none: over all clusters")
    name: str = Field(description="what most of the kind's clusters are called, or where most of them lie")
    regions: int
    reviewed: int = Field(description="of these, with a person's word")
    judged_spurious: float
    found_spurious: float = Field(description="by similar clusters and people")
    differ: Estimate = Field(description="share on which that is the opposite of what the judge was sure of")
    asks_for_reviews: bool


class DifferencesOut(Out):
    whole: DifferenceOut | None = Field(description="none: no consensus is done yet")
    kinds: list[DifferenceOut]
    fell_back: str = Field(description="why verdicts on similar clusters were not compared; empty where they were")
    needed: str = Field(description="how much people have to have answered, where their words alone are carried over")
    under_way: bool
    error: str = Field(description="of the newest consensus, where it failed")


class ReviewIn(In):
    cluster_id: UUID
    answer: Literal[Answer.SPURIOUS, Answer.RELEVANT, Answer.CANT_TELL]
    note: NoteText = Field("", description="why, in the reader's words")


class ReviewOut(Out):
    id: UUID
    cluster_id: UUID
    run_id: UUID
    user_id: UUID
    answer: Answer
    blind: bool
    settles: bool = Field(description="an adjudicator's word where readers differed; it counts before theirs")
    note: str
    created_at: datetime


class DecisionIn(In):
    approved: bool
    before_report_id: UUID = Field(description="the reports that were looked at: of the newest run that measured both")
    after_report_id: UUID
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    password: str = Field(description="the caller's own, as on the page", max_length=1000)


class DecisionOut(Out):
    id: UUID
    checkpoint_id: UUID
    before_report_id: UUID
    after_report_id: UUID
    user_id: UUID
    signed_name: str
    approved: bool
    meaning: str
    reason: str
    created_at: datetime


class TrustBarOut(Out):
    locks: bool
    least_kappa: float
    least_cases: int
    reason: str
    created_at: datetime
    created_by_id: UUID | None


class AgreementOut(Out):
    name: str = Field(description="the class, or all of them")
    cases: int = Field(description="that somebody has read blind")
    readings: int = Field(description="answers given on them")
    sensitivity: Estimate = Field(description="of what blind readers called spurious, the share judged spurious")
    specificity: Estimate = Field(description="of what blind readers called relevant, the share judged relevant")
    kappa: Estimate = Field(description="Cohen's, of the judge with blind readers")
    uncertain: Estimate = Field(description="share of the cases that the judge left uncertain")
    cant_tell: Estimate = Field(description="share of the answers that were can't tell")
    differ: Estimate = Field(description="share of the cases with several readers on which they differ")
    readers: int
    between: Estimate = Field(description="the readers' agreement: Cohen's kappa of two, Krippendorff's alpha of more")
    fleiss: Estimate | None = Field(
        description="Fleiss' kappa of three or more readers, on the cases that each of them called spurious or relevant"
    )


class TrustOut(BaseModel):
    critique_id: UUID
    whole: AgreementOut
    classes: list[AgreementOut]
    bar: TrustBarOut | None = Field(description="none: nobody has set one")
    locked: str = Field(description="why realignment is locked; empty: it is open")
    unlock: str = Field(description="what would unlock it")
