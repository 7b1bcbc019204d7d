import pytest

from app.models.summary import ClassSummary
from worker.method.looks import Look
from worker.method.regions import ClusterFacts
from worker.tasks.class_summary import class_summary

IDS = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(1, 6)]
MIDDLE = Look("middle", 0.5, 0.5, 0.1, 0.1, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def summary_of(images: int) -> ClassSummary:
    """The first images have most evidence on the bone, which most of it lies on."""
    clusters = [
        ClusterFacts(image, 1, 0.9 - number / 10, "bone", MIDDLE, 0.5) for number, image in enumerate(IDS[:images])
    ]
    return class_summary("ill", clusters, IDS[:images], without_evidence=2, seed=0)


@pytest.mark.parametrize(("images", "typical", "untypical"), [(1, 1, 0), (3, 2, 1), (5, 2, 2)])
def test_examples_are_the_most_and_the_least_typical_and_none_is_both(
    images: int, typical: int, untypical: int
) -> None:
    told = summary_of(images)
    assert [str(each) for each in told.typical] == IDS[:typical]
    assert [str(each) for each in told.untypical] == IDS[images - untypical : images]


def test_nothing_is_lost_on_the_way_through_the_database() -> None:
    told = summary_of(5)
    assert ClassSummary.model_validate(told.model_dump(mode="json")) == told
    (region,) = told.regions
    assert (region.name, region.by_look, region.percent, region.images, region.share.n) == ("bone", False, 70, 5, 5)
    assert region.share.missing
    assert [each.numbers for each in region.evidence] == [(1,)] * 5
    assert told.without_evidence == 2
    assert told.sentences[0].text.startswith("70\N{NARROW NO-BREAK SPACE}% (95")
    assert told.sentences[0].parts[1].evidence == region.evidence
