from dataclasses import replace

import numpy as np
import pytest

from tests.worker.method.drawn_clusters import draw
from worker.method.similarity import DIRECTIONS, Clusters, directions, kinds, same_class, similarities, standardised


def with_activations(images: int = 20) -> Clusters:
    generator = np.random.default_rng(1)
    data = draw(images)
    return replace(data.clusters, activations=data.clusters.features @ generator.standard_normal((6, 50)))


def test_similarity_equals_a_slow_version_pair_by_pair() -> None:
    clusters = with_activations(8)
    features, seen = standardised(clusters.features), directions(clusters.activations)
    fast = similarities(clusters)
    for i in range(0, 32, 5):
        for j in range(32):
            one_by_one = np.mean([np.exp(-abs(a - b)) for a, b in zip(features[i], features[j], strict=True)])
            whole = np.exp(-((seen[i] - seen[j]) ** 2).sum() / (2 * seen.shape[1]))
            assert fast[i, j] == pytest.approx((one_by_one + whole + one_by_one * whole) / 3)


@pytest.mark.parametrize("activations", [True, False])
def test_similarity_is_a_covariance_with_ones_for_the_cluster_itself(activations: bool) -> None:
    clusters = with_activations() if activations else draw(20).clusters
    found = similarities(clusters)
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_allclose(found, found.T)
    assert np.linalg.eigvalsh(found).min() > -1e-9


def test_clusters_of_a_kind_are_more_alike_than_others() -> None:
    data = draw(40, noise=0.4)
    found = similarities(data.clusters)
    same = data.kind[:, None] == data.kind
    assert found[same].mean() > found[~same].mean() + 0.15


def test_across_classes_a_part_is_lost() -> None:
    assert same_class(np.array([0, 1, 0]), 0.25).tolist() == [[1, 0.75, 1], [0.75, 1, 0.75], [1, 0.75, 1]]


def test_a_column_that_says_nothing_changes_nothing() -> None:
    clusters = draw(10).clusters
    # A grey picture's colours are zero but for rounding.
    rounding = np.full((40, 2), 0.3) + 1e-9 * np.random.default_rng(0).standard_normal((40, 2))
    more = replace(clusters, features=np.hstack([clusters.features, rounding]))
    np.testing.assert_allclose(similarities(more), similarities(clusters))


def test_clusters_that_differ_in_nothing_are_all_the_same() -> None:
    clusters = replace(draw(5).clusters, features=np.ones((20, 3)))
    np.testing.assert_allclose(similarities(clusters), 1)


def test_scale_and_origin_of_a_feature_do_not_matter_and_outliers_are_bounded() -> None:
    clusters = draw(10).clusters
    scaled = replace(clusters, features=clusters.features * 1000 - 7)
    np.testing.assert_allclose(similarities(scaled), similarities(clusters))
    clusters.features[3, 2] = 1e6
    assert np.abs(standardised(clusters.features)).max() == 3


@pytest.mark.parametrize("count", [10, 400])
def test_directions_keep_the_distances_that_matter(count: int) -> None:
    generator = np.random.default_rng(2)
    activations = generator.standard_normal((count, 5)) @ generator.standard_normal((5, 80))
    found = directions(activations)
    assert found.shape == (count, min(count, DIRECTIONS))
    values = standardised(activations)
    wanted = np.square(values[:, None] - values).sum(axis=2)
    distances = np.square(found[:, None] - found).sum(axis=2)
    np.testing.assert_allclose(distances / distances.mean(), wanted / wanted.mean(), atol=0.05)


def test_kinds_are_the_kinds() -> None:
    data = draw(60, noise=0.3)
    found = kinds(data.clusters, 3)
    for kind in range(3):
        assert np.bincount(found[data.kind == kind]).max() > 0.97 * (data.kind == kind).sum()
    assert len(np.unique(found)) == 3
    assert found.tolist() == kinds(data.clusters, 3).tolist()


@pytest.mark.parametrize("count", [1, 12])
def test_clusters_that_nothing_tells_apart_are_of_one_kind(count: int) -> None:
    one = draw(1).clusters
    alike = Clusters(
        features=np.repeat(one.features[:1], count, axis=0),
        classes=np.zeros(count, dtype=np.int64),
        images=np.arange(count),
        share=np.ones(count),
        activations=np.ones((count, 5)),
    )
    assert kinds(alike, 20).tolist() == [0] * count


def test_there_are_no_more_kinds_than_clusters_and_their_numbers_have_no_gaps() -> None:
    data = draw(2)
    found = kinds(data.clusters, 20)
    assert sorted(set(found.tolist())) == list(range(found.max() + 1))
    assert found.max() < 8
