"""What an analysis says of a class, from its clusters to the form in which its run stores it. Without torch."""

from collections.abc import Sequence
from uuid import UUID

from app.models.figures import Estimate
from app.models.summary import ClassSummary, Evidence, Outside, Part, Region, Sentence
from worker.method import regions, summary

EXAMPLES = 2  # most typical images that are kept, and as many least typical ones


def class_summary(
    class_name: str, clusters: Sequence[regions.ClusterFacts], images: Sequence[str], without_evidence: int, seed: int
) -> ClassSummary:
    """images: ids of the class's explanations that have positive evidence; without_evidence: how many have none."""
    if not images:
        return ClassSummary(images=0, without_evidence=without_evidence)
    found = regions.regions_of(clusters, images, seed)
    typical = [UUID(image) for image in found.typical]
    return ClassSummary(
        images=found.images,
        without_evidence=without_evidence,
        regions=tuple(_region(region) for region in found.regions),
        outside=Outside(
            share=_estimate(found.outside.share),
            percent=found.outside.percent,
            images=len(found.outside.evidence),
            evidence=_evidence(found.outside.evidence),
        ),
        sentences=tuple(_sentence(sentence) for sentence in summary.summarise(class_name, found)),
        typical=tuple(typical[:EXAMPLES]),
        untypical=tuple(typical[EXAMPLES:][-EXAMPLES:]),
    )


def _region(region: regions.Region) -> Region:
    return Region(
        name=region.name,
        by_look=region.by_look,
        share=_estimate(region.share),
        percent=region.percent,
        images=region.images,
        effect=_estimate(region.effect),
        evidence=_evidence(region.evidence),
    )


def _sentence(sentence: summary.Sentence) -> Sentence:
    return Sentence(parts=tuple(Part(text=part.text, evidence=_evidence(part.evidence)) for part in sentence.parts))


def _estimate(mean: regions.Mean) -> Estimate:
    return Estimate(value=mean.value, low=mean.low, high=mean.high, n=mean.n, missing=mean.missing)


def _evidence(evidence: Sequence[regions.Evidence]) -> tuple[Evidence, ...]:
    return tuple(Evidence(explanation_id=UUID(each.image_id), numbers=each.numbers) for each in evidence)
