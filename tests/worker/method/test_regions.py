from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.method.looks import Look
from worker.method.naming import key
from worker.method.regions import (
    ONE_IMAGE,
    RESAMPLES,
    TOO_NARROW,
    ClassRegions,
    ClusterFacts,
    Evidence,
    kinds_of,
    means,
    regions_of,
    whole_percents,
)
from worker.method.significance import bootstrap
from worker.method.summary import place

STROKE, SQUARE = "digit strokes", "a grey square"
BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
quick = settings(max_examples=40, deadline=None)


def look(x: float = 0.5, y: float = 0.5, colour: tuple[float, float, float] = WHITE) -> Look:
    return Look(place((x, y), 0.05), x, y, 0.05, 0.02, colour, BLACK)


def facts(image: str, number: int, share: float, words: str = "", seen: Look | None = None, effect: float = 0.0):
    return ClusterFacts(image, number, share, words, seen or look(), effect)


def test_the_figures_are_those_computed_by_hand() -> None:
    clusters = [
        facts("a", 1, 0.5, STROKE, effect=0.4),
        facts("a", 2, 0.3, SQUARE, effect=0.1),
        facts("a", 3, 0.2, "the digit stroke", effect=0.2),
        facts("b", 1, 0.8, STROKE, effect=-0.1),
        facts("b", 2, 0.1, "Grey squares", effect=0.3),
        facts("c", 1, 0.6, SQUARE, effect=0.2),
        facts("c", 2, 0.4, "", look(0.1, 0.1)),
    ]
    found = regions_of(clusters, ["a", "b", "c", "d"], seed=0)
    stroke, square, corner = found.regions
    assert (stroke.name, square.name, corner.name) == (
        STROKE,
        SQUARE,
        "a small bright area in the upper left corner",
    )
    assert [region.by_look for region in found.regions] == [False, False, True]
    # (0.5 + 0.2 + 0.8) / 4, (0.3 + 0.1 + 0.6) / 4, 0.4 / 4; of b 0.1 lies outside its clusters, of d everything.
    assert [region.share.value for region in found.regions] == pytest.approx([0.375, 0.25, 0.1])
    assert found.outside.share.value == pytest.approx(1.1 / 4)
    assert [region.images for region in found.regions] == [2, 3, 1]
    assert [region.is_rare for region in found.regions] == [True, False, True]
    assert stroke.effect.value == pytest.approx((0.3 - 0.1) / 2)  # the mean of an image's clusters, then of the images
    assert (stroke.share.n, stroke.effect.n) == (4, 2)


def test_the_evidence_is_that_of_the_region_with_the_most_first() -> None:
    clusters = [
        facts("a", 1, 0.4, STROKE),
        facts("a", 2, 0.3, SQUARE),
        facts("a", 3, 0.3, STROKE),
        facts("b", 1, 0.6, STROKE),
        facts("b", 2, 0.2, SQUARE),
    ]
    found = regions_of(clusters, ["a", "b"], seed=0)
    assert [region.evidence for region in found.regions] == [
        (Evidence("a", (1, 3)), Evidence("b", (1,))),
        (Evidence("a", (2,)), Evidence("b", (2,))),
    ]
    assert found.outside.evidence == (Evidence("b", ()),)


def test_clusters_without_a_name_are_not_lumped_together() -> None:
    places = [look(0.1, 0.1), look(0.9, 0.9), look(0.5, 0.5), look(0.5, 0.5, BLACK)]
    clusters = [
        facts(image, number, 0.2, "unknown" if number == 1 else "", seen)
        for image in "abc"
        for number, seen in enumerate([*places, look(0.1, 0.1)], start=1)
    ]
    found = regions_of(clusters, list("abc"), seed=0)
    assert Counter({region.name: len(region.clusters) for region in found.regions}) == {
        "a small bright area in the upper left corner": 6,
        "a small bright area in the lower right corner": 3,
        "a small bright area in the middle": 3,
        "a small area in the middle": 3,
    }


def test_a_typical_image_has_its_evidence_where_the_class_has_it() -> None:
    clusters = [
        facts("odd", 1, 1.0, "a hair"),
        facts("mixed", 1, 0.5, "a lesion"),
        facts("mixed", 2, 0.5, "a hair"),
        facts("plain", 1, 1.0, "a lesion"),
        facts("alike", 1, 1.0, "a lesion"),
    ]
    assert regions_of(clusters, ["odd", "mixed", "plain", "alike"], seed=0).typical == (
        "plain",
        "alike",
        "mixed",
        "odd",
    )


def test_an_interval_is_the_percentile_bootstrap_of_the_mean_over_images() -> None:
    generator = np.random.default_rng(3)
    table = generator.beta(2, 3, (40, 2)) * (generator.random((40, 2)) < 0.6)
    found = means(table, seed=7)
    draws = np.random.default_rng(7).multinomial(40, np.full(40, 1 / 40), size=RESAMPLES)
    for column, mean in enumerate(found):
        values = table[:, column]
        slow = sorted(sum(times * value for times, value in zip(drawn, values, strict=True)) / 40 for drawn in draws)
        assert (mean.low, mean.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]))
        assert (mean.low, mean.high) == pytest.approx(bootstrap(values, seed=0), abs=0.02)  # other draws of the same
        assert mean.value == pytest.approx(values.mean())
        assert (mean.n, mean.missing) == (40, "")


def test_the_same_seed_draws_the_same_interval_and_portions_change_none(monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.random.default_rng(0).random((12, 3))
    found = means(table, seed=1)
    assert means(table, seed=1) == found
    assert means(table, seed=2) != found
    monkeypatch.setattr("worker.method.regions.PORTION", 12 * 7)
    for mean, whole in zip(means(table, seed=1), found, strict=True):
        assert (mean.low, mean.high) == pytest.approx((whole.low, whole.high))


def test_few_images_are_said_to_be_few() -> None:
    assert means(np.array([[0.3]]), seed=0)[0].low is None
    assert means(np.array([[0.3]]), seed=0)[0].missing == ONE_IMAGE
    assert means(np.array([[0.1]] * 9), seed=0)[0].missing == TOO_NARROW
    assert means(np.array([[0.1]] * 10), seed=0)[0].missing == ""
    images = [str(index) for index in range(20)]
    clusters = [facts(image, 1, 0.5, "bone") for image in images] + [
        facts(image, 2, 0.2, SQUARE) for image in images[:4]
    ]
    bone, square = regions_of(clusters, images, seed=0).regions
    assert (bone.share.missing, square.share.missing) == ("", TOO_NARROW)
    assert square.effect.n == 4


shares_of_a_class = st.lists(st.lists(st.integers(0, 100), min_size=1, max_size=6), min_size=1, max_size=8)
words = st.sampled_from(["", "", "bone", "Bones", "the bone", "a letter", "letters", "mostly letter", "unknown"])
seen = st.builds(look, st.floats(0, 1), st.floats(0, 1), st.sampled_from([BLACK, WHITE, (0.5, 0.5, 0.5)]))


@quick
@given(shares_of_a_class, st.data())
def test_the_shares_of_a_class_add_up_and_every_cluster_is_counted_once(parts: list[list[int]], data) -> None:
    """The last part of an image is what lies outside its clusters."""
    clusters = [
        ClusterFacts(str(image), number, part / max(1, sum(mine)), data.draw(words), data.draw(seen), 0.1)
        for image, mine in enumerate(parts)
        for number, part in enumerate(mine[:-1], start=1)
    ]
    images = [str(image) for image in range(len(parts))]
    found = regions_of(clusters, images, seed=0)
    assert sum(region.share.value for region in found.regions) + found.outside.share.value == pytest.approx(1)
    assert sum(region.percent for region in found.regions) + found.outside.percent == 100
    for each in (*found.regions, found.outside):
        assert abs(each.percent - 100 * each.share.value) < 1
    counted = Counter(cluster for region in found.regions for cluster in region.clusters)
    assert counted == Counter(clusters)
    check_evidence(found, clusters)


def check_evidence(found: ClassRegions, clusters: list[ClusterFacts]) -> None:
    """Every region's evidence are its clusters, by image, and no image's evidence is more than the one's before."""
    known = {(cluster.image_id, cluster.number): cluster for cluster in clusters}
    for region in found.regions:
        named = [(each.image_id, number) for each in region.evidence for number in each.numbers]
        assert sorted(named) == sorted((cluster.image_id, cluster.number) for cluster in region.clusters)
        totals = [sum(known[each.image_id, number].share for number in each.numbers) for each in region.evidence]
        assert all(one >= other - 1e-12 for one, other in pairwise(totals))
        if not region.by_look:
            assert len({key(cluster.words) for cluster in region.clusters}) == 1
    assert len({region.name for region in found.regions}) == len(found.regions)


@quick
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30))
def test_whole_percents_add_up_and_none_is_far_from_its_share(weights: list[int]) -> None:
    shares = [weight / sum(weights) for weight in weights]
    percents = whole_percents(shares)
    assert sum(percents) == 100
    assert all(abs(percent - 100 * share) < 1 for percent, share in zip(percents, shares, strict=True))


def test_thirds_are_rounded_to_a_hundred() -> None:
    assert whole_percents([1 / 3, 1 / 3, 1 / 3]) == [34, 33, 33]
    assert whole_percents([0.29, 0.71]) == [29, 71]


def test_what_does_not_add_up_is_refused() -> None:
    with pytest.raises(ValueError, match="add up"):
        whole_percents([0.5, 0.4])
    with pytest.raises(ValueError, match="more than its evidence"):
        regions_of([facts("a", 1, 0.7), facts("a", 2, 0.4)], ["a"], seed=0)
    with pytest.raises(ValueError, match="not among those explained"):
        regions_of([facts("b", 1, 0.7)], ["a"], seed=0)
    with pytest.raises(ValueError, match="at least one image"):
        regions_of([], [], seed=0)


def test_a_class_without_clusters_has_all_its_evidence_outside() -> None:
    found = regions_of([], ["a", "b"], seed=0)
    assert found.regions == ()
    assert (found.outside.share.value, found.outside.percent) == (1, 100)
    assert found.outside.evidence == (Evidence("a", ()), Evidence("b", ()))


def test_the_name_of_a_kind_is_what_was_said_most_often() -> None:
    said = ["Letters", "a letter", "a letter", "the letter"]
    (kind,) = kinds_of([facts("a", number, 0.1, words) for number, words in enumerate(said, start=1)])
    assert kind.name == "a letter"
