from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.worker.method.drawn_clusters import draw
from worker.benchmarks.alignment import words
from worker.benchmarks.alignment.arms import parsed
from worker.benchmarks.cluster_sets import ClusterSet

HERE = Path()


@pytest.fixture
def prepared() -> SimpleNamespace:
    """Sixty images of four clusters each, of which some are spurious."""
    data = draw(images=60, seed=0, noise=0.5)
    components = np.concatenate([np.arange(count) for count in np.bincount(data.clusters.images)])
    places = np.array(["corner", "middle", "upper part"])[data.kind]
    return SimpleNamespace(clusters=ClusterSet(data.clusters, data.truth, places, components), seed=0)


def said(name: str, prepared: SimpleNamespace) -> np.ndarray:
    return words.verdicts(parsed(name), prepared, HERE)


def test_without_errors_the_verdicts_are_the_truth(prepared) -> None:
    np.testing.assert_array_equal(said("consistency", prepared), prepared.clusters.truth)


@pytest.mark.parametrize("error", ["13", "25", "40", "50", "class", "all"])
def test_errors_are_the_same_for_every_arm_of_a_seed(prepared, error: str) -> None:
    first = said(f"consistency_{error}", prepared)
    for other in ("normalised_rrr", "plain_rrr", "caipi"):
        np.testing.assert_array_equal(said(f"{other}_{error}", prepared), first)
    prepared.seed = 2
    assert (said(f"consistency_{error}", prepared) != first).any() or error in {"class", "all"}


def test_as_many_verdicts_are_wrong_as_the_name_says_and_consensus_mends_most(prepared) -> None:
    truth = prepared.clusters.truth
    wrong = {error: (said(f"consistency_{error}", prepared) != truth).mean() for error in ("13", "25", "40")}
    assert wrong["13"] < wrong["25"] < wrong["40"]
    assert wrong["25"] == pytest.approx(0.25, abs=0.07)
    assert (said("consensus_25", prepared) != truth).mean() < wrong["25"] / 3


def test_reviews_put_right_what_a_person_saw_where_a_judge_errs_about_a_kind(prepared, monkeypatch) -> None:
    truth = prepared.clusters.truth
    with_reviews = (said("consistency_all", prepared) != truth).sum()
    monkeypatch.setattr(words, "reviews", lambda *_: {})
    without = (said("consistency_all", prepared) != truth).sum()
    assert 0 < without - with_reviews <= 24


def test_the_mask_covers_the_clusters_called_spurious_and_no_others(prepared) -> None:
    clusters = prepared.clusters
    share = torch.zeros(60, 4)
    rows = torch.arange(4)[None, :, None].expand(60, 4, 4)
    prepared.explained = {"share": share, "assignment": rows.to(torch.int8)}
    mask = words.corrective_masks(parsed("consistency_40"), prepared, HERE)
    assert mask.shape == (60, 1, 4, 4)
    covered = mask[clusters.clusters.images, 0, clusters.components, 0].numpy() > 0
    np.testing.assert_array_equal(covered, said("consistency_40", prepared))
    assert mask.mean(dim=3).sum() == covered.sum()


def test_true_masks_are_those_of_the_alignment_images() -> None:
    truth = torch.zeros(5, 2, 2, dtype=torch.bool)
    truth[3, 0, 1] = True
    data = SimpleNamespace(train=SimpleNamespace(truth=truth))
    given = SimpleNamespace(data=data, chosen=torch.tensor([3, 0]))
    assert words.corrective_masks(parsed("true_masks"), given, HERE).flatten(1).tolist() == [[0, 1, 0, 0], [0] * 4]
