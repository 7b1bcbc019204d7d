from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worker.benchmarks.alignment import lvlm_words
from worker.benchmarks.alignment.plans import planned
from worker.benchmarks.alignment.prepared import Prepared, prepare


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    plan = planned("digits", quick=True)
    few = replace(plan, recipe=replace(plan.recipe, images=6))
    return prepare(few, 0, "cpu", tmp_path_factory.mktemp("digits"))


def test_every_cluster_is_asked_about_once_and_the_words_are_kept(prepared, tmp_path: Path, monkeypatch) -> None:
    said = lvlm_words.lvlm_words(prepared, tmp_path)
    assert said.shape == prepared.clusters.truth.shape
    assert ((said >= 0) & (said <= 1)).all()
    assert len(np.unique(said)) > 1
    monkeypatch.setattr(lvlm_words, "criticise", None)  # would fail if it were called
    np.testing.assert_array_equal(lvlm_words.lvlm_words(prepared, tmp_path), said)


def test_another_alignment_set_or_specification_is_asked_about_anew(prepared, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(lvlm_words, "_asked", lambda _, given: np.full(len(given.clusters.truth), 0.25))
    for other in (
        prepared,
        replace(prepared, made_with="otherwise"),
        replace(prepared, plan=replace(prepared.plan, spurious="a side marker")),
    ):
        lvlm_words.lvlm_words(other, tmp_path)
    assert len(list(tmp_path.glob("said-*.json"))) == 3


def test_the_lvlm_is_shown_only_the_clusters_that_are_shown_to_people(prepared) -> None:
    for image in range(len(prepared.chosen)):
        case = lvlm_words._case(prepared, image)
        shown = prepared.clusters.components[prepared.clusters.clusters.images == image]
        assert list(case.marks.clusters) == [number + 1 for number in sorted(shown.tolist())]
        assert case.label == str(int(prepared.data.train.labels[prepared.chosen[image]]))
