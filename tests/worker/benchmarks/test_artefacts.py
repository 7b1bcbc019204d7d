"""The figures of a quick run, and how far a cluster covers an artefact."""

import pytest
import torch

from worker.benchmarks import explained_models
from worker.benchmarks.artefacts import METHODS, best_overlap, measure
from worker.benchmarks.explained_models import attributions, explained_model
from worker.benchmarks.form import BenchmarkOptions


def test_a_quick_run_has_every_figure_of_every_method_by_image() -> None:
    found = {figure.name: figure for figure in measure(BenchmarkOptions(seeds=1, quick=True))}
    cuts = ("chosen", "fixed", "fixed_sharp")
    by_image = {f"{cut}.{what}" for cut in cuts for what in ("found", "overlap")}
    by_model = {"chosen.sharpening", "chosen.support", "chosen.components", "rank_correlation", "seconds"}
    assert set(found) == {f"artefacts.digits.{method}.{key}" for method in METHODS for key in by_image | by_model}
    for name, figure in found.items():
        if name.endswith((".found", ".overlap")):
            assert figure.n > 1
            assert 0 <= figure.value <= 1
    assert found["artefacts.digits.deeplift_shap.seconds"].value > 0


def test_the_overlap_is_that_of_the_best_cluster() -> None:
    assignment = torch.tensor([[[0, 0, 1, -1]], [[1, 1, 1, 1]]])
    truth = torch.tensor([[[False, True, True, True]], [[True, False, False, False]]])
    assert best_overlap(assignment, truth, 2).tolist() == pytest.approx([1 / 3, 1 / 4])


def test_what_was_made_is_kept_and_the_same_afterwards(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(explained_models, "KEPT", tmp_path)
    small = explained_models.quickened(explained_models.RECIPES["digits"])
    monkeypatch.setitem(explained_models.RECIPES, "digits", small)
    first = explained_model("digits", 0)
    made = attributions(first, "deeplift_shap")
    monkeypatch.setattr(explained_models, "prepared", None)
    monkeypatch.setattr(explained_models, "in_halves", None)
    again = explained_model("digits", 0)
    torch.testing.assert_close(attributions(again, "deeplift_shap").halves.whole, made.halves.whole)
    torch.testing.assert_close(again.predict(again.ready.images), first.predict(first.ready.images))
    assert set(range(len(first.ready.images))) == {*first.marked.tolist(), *first.sample.tolist()}
    assert first.ready.truth[first.marked].flatten(1).any(dim=1).all()
