from collections import Counter

import numpy as np
import pytest

from worker.lvlm.embedded.lent import lent, lent_scenes
from worker.lvlm.embedded.scenes import Scene
from worker.lvlm.embedded.tower import COLOURS, GRID, OBJECTS, THINGS, dense_labels
from worker.method.marks import PALETTE

HALVES = np.repeat(np.array([[0, 0, 0, 0, -1, -1, 1, 1]], dtype=np.int8), 8, axis=0)
NOTHING = np.zeros((16, 16), dtype=np.bool_)


def lender(domain: str) -> Scene:
    nowhere = np.zeros((8, 8), dtype=np.bool_)
    image = np.zeros((8, 8), dtype=np.uint8)
    return Scene(domain, image, 0, HALVES, nowhere, nowhere, (0.0, 0.0), (0.0, 0.0))


def test_each_domain_that_has_lenders_gets_as_many_scenes():
    drawn = lent_scenes(12, [lender("digits"), lender("skin")], np.random.default_rng(0))
    assert Counter(scene.domain for scene in drawn) == {"digits": 4, "skin": 4}
    assert all(scene.assignment.shape == scene.image.shape[:2] == scene.core_pixels.shape for scene in drawn)


def test_two_draws_with_one_seed_are_the_same():
    one, other = (lent_scenes(6, [lender("skin")], np.random.default_rng(3)) for _ in range(2))
    assert [(a.image == b.image).all() for a, b in zip(one, other, strict=True)] == [True, True]
    assert [(a.assignment == b.assignment).all() for a, b in zip(one, other, strict=True)] == [True, True]


def test_clusters_keep_their_form_and_change_their_colours():
    seen = set()
    for seed in range(40):
        clusters = lent(HALVES, NOTHING, np.random.default_rng(seed))
        assert clusters.shape == (16, 16)
        shares = sorted(np.unique(clusters, return_counts=True)[1] / clusters.size)
        assert shares == [0.25, 0.25, 0.5]
        assert (clusters == -1).mean() == pytest.approx(0.25)
        seen |= set(np.unique(clusters[clusters >= 0]).tolist())
    assert seen == set(range(len(PALETTE)))


def test_about_half_of_the_artefacts_lie_under_a_cluster_of_their_own():
    artefact = NOTHING.copy()
    artefact[1:4, 9:12] = True
    covered = [len(np.unique(lent(HALVES, artefact, np.random.default_rng(seed))[1:4, 9:12])) for seed in range(60)]
    alone = [lent(HALVES, artefact, np.random.default_rng(seed)) for seed in range(60)]
    own = [bool((clusters[artefact] != clusters[8, 9:12].repeat(3)).any()) for clusters in alone]
    assert 15 <= sum(own) <= 45
    assert set(covered) <= {1, 2, 3}


def test_the_tower_is_told_what_lies_under_lent_clusters():
    scene = next(
        scene
        for scene in lent_scenes(30, [lender("skin")], np.random.default_rng(1))
        if scene.artefact_pixels.mean() > 0.05
    )
    labels = dense_labels(scene)
    assert labels.shape[0] == GRID**2
    here = OBJECTS.index(("skin", "artefact"))
    colours = np.unique(scene.assignment[scene.artefact_pixels])
    under = labels[:, THINGS : THINGS + THINGS * COLOURS].unflatten(1, (THINGS, COLOURS))[:, here].any(dim=0)
    assert labels[:, here].any()
    assert set(under.nonzero().flatten().tolist()) <= set(colours.tolist())
