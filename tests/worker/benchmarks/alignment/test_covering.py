"""The answers that change when the place of an added artefact is filled in instead."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from worker.benchmarks.alignment.covering import covered
from worker.benchmarks.alignment.plans import planned
from worker.benchmarks.alignment.prepared import Prepared, prepare
from worker.method import counterfactual, evaluation


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(planned("synthetic_lesions", quick=True), 0, "cpu", tmp_path_factory.mktemp("lesions"))


class Answers(nn.Module):
    """Says the second class where a number read off the picture is above its median over the test."""

    def __init__(self, reads: Callable[[Tensor], Tensor], images: Tensor) -> None:
        super().__init__()
        self.reads, self.median = reads, reads(images).median()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        read = self.reads(images) - self.median
        return torch.stack([-read, read], dim=1) + self.weight


def test_the_same_places_are_covered_as_the_settling_test_puts_an_artefact_on(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = prepared.data.test
    model = Answers(lambda images: images.mean(dim=(1, 2, 3)), test.images)
    found = covered(model, prepared)
    assert 0 < found["covered"] < 1
    monkeypatch.setattr(counterfactual, "add", lambda images, _, masks: counterfactual.inpaint(images, masks))
    masks = test.truth[:, None].float()
    settled = evaluation.settling_test(model, test.images, test.labels, masks, prepared.seed)
    assert found["covered"] == pytest.approx(settled["add"].flipped.value)


def test_what_looks_at_no_covered_place_is_not_changed(prepared: Prepared) -> None:
    test = prepared.data.test
    free = ~test.truth.any(dim=0)
    model = Answers(lambda images: (images * free).sum(dim=(1, 2, 3)), test.images)
    assert covered(model, prepared) == {"covered": 0.0}


def test_without_an_artefact_nothing_is_told(prepared: Prepared) -> None:
    test = replace(prepared.data.test, truth=torch.zeros_like(prepared.data.test.truth))
    without = replace(prepared, data=replace(prepared.data, test=test))
    assert covered(prepared.model, without) == {}
