from collections import defaultdict
from uuid import UUID

import pytest

from app.behaviour.evidence import evidence_by_class, examples_by_class, mean_share
from app.db import reading, transaction
from tests.factories import Loop, whole_loop


@pytest.fixture
def loop(database: str) -> Loop:
    with transaction() as session:
        return whole_loop(session)


def shares_by_image(loop: Loop) -> dict[UUID, dict[UUID, dict[tuple[str, str], float]]]:
    """Class -> explanation -> region -> share, the slow way."""
    found: dict[UUID, dict[UUID, dict[tuple[str, str], float]]] = defaultdict(lambda: defaultdict(dict))
    for explanation in loop.explanations:
        shares = found[explanation.image.class_id][explanation.id]
        for cluster in explanation.clusters:
            key = (cluster.words, "" if cluster.words else cluster.place)
            shares[key] = shares.get(key, 0.0) + cluster.share
    return found


def test_evidence_of_a_region_is_its_mean_share_over_all_images_of_the_class(loop: Loop) -> None:
    with reading() as session:
        found = evidence_by_class(session, loop.analysis.id)
    for class_id, images in shares_by_image(loop).items():
        regions = {(region.words, region.place): region for region in found[class_id].regions}
        assert regions.keys() == {key for shares in images.values() for key in shares}
        for key, region in regions.items():
            mean = sum(shares.get(key, 0.0) for shares in images.values()) / len(images)
            assert region.evidence.value == pytest.approx(mean)
            assert region.images == sum(key in shares for shares in images.values())
            assert region.evidence.n == found[class_id].images == len(images)


def test_shares_of_a_class_sum_to_one_and_the_heaviest_comes_first(loop: Loop) -> None:
    with reading() as session:
        for evidence in evidence_by_class(session, loop.analysis.id).values():
            shares = [region.evidence.value or 0 for region in evidence.regions]
            assert sum(shares) == pytest.approx(1)
            assert shares == sorted(shares, reverse=True)
            assert sum(shares[:4]) + evidence.other == pytest.approx(1)


def test_the_interval_is_that_of_a_mean_over_images() -> None:
    values = [0.1, 0.4, 0.4, 0.7]
    found = mean_share(sum(values), sum(value**2 for value in values), len(values))
    deviation = (sum((value - 0.4) ** 2 for value in values) / 3) ** 0.5
    assert found.value == pytest.approx(0.4)
    assert found.low == pytest.approx(0.4 - 1.96 * deviation / 2)
    assert found.high == pytest.approx(0.4 + 1.96 * deviation / 2)


def test_one_image_has_a_mean_but_no_interval() -> None:
    found = mean_share(0.3, 0.09, 1)
    assert (found.value, found.low, found.high) == (0.3, None, None)


def test_typical_images_have_their_evidence_where_the_class_has_it(loop: Loop) -> None:
    with reading() as session:
        found = examples_by_class(session, loop.analysis.id)
    for class_id, images in shares_by_image(loop).items():
        totals: dict[tuple[str, str], float] = defaultdict(float)
        for shares in images.values():
            for key, share in shares.items():
                totals[key] += share
        scores = {image: sum(share * totals[key] for key, share in shares.items()) for image, shares in images.items()}
        ranked = sorted(scores.values(), reverse=True)
        assert [scores[each.id] for each in found[class_id].typical] == pytest.approx(ranked[:2])
        assert [scores[each.id] for each in found[class_id].untypical] == pytest.approx(ranked[-2:])
