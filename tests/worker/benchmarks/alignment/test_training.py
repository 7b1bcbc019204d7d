from dataclasses import replace
from pathlib import Path

import pytest
import torch

from worker.benchmarks.alignment import training
from worker.benchmarks.alignment.arms import parsed
from worker.benchmarks.alignment.measuring import measured
from worker.benchmarks.alignment.plans import NAMES, is_size_of_real, named, planned
from worker.benchmarks.alignment.prepared import Prepared, prepare


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(planned("digits", quick=True), 0, "cpu", tmp_path_factory.mktemp("digits"))


def weights(prepared: Prepared, name: str) -> torch.Tensor:
    model = training.made(parsed(name), prepared, Path()).model
    return torch.cat([part.detach().flatten() for part in model.parameters()])


@pytest.mark.parametrize(
    "name", ["control", "consistency", "normalised_rrr", "true_masks", "subg", "jtt", "dfr", "groupdro", "caipi"]
)
def test_every_arm_trains_a_copy_the_same_way_each_time(prepared: Prepared, name: str) -> None:
    original = weights(prepared, "original")
    trained = weights(prepared, name)
    assert not trained.equal(original)
    assert trained.equal(weights(prepared, name))
    assert weights(prepared, "original").equal(original)


def test_plain_rrr_is_tuned_among_five_strengths_and_says_which(prepared: Prepared) -> None:
    assert len(training.PLAIN_STRENGTHS) == 5
    chosen = training.made(parsed("plain_rrr"), prepared, Path()).chosen
    assert chosen in {f"strength {strength}" for strength in training.PLAIN_STRENGTHS}


def test_with_balanced_classes_every_answer_is_cut_but_what_the_guard_has_cut(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = list[torch.nn.Module]()
    monkeypatch.setattr(training, "cut_evenly", lambda model, *_: cut.append(model))
    monkeypatch.setattr(training, "delivered", lambda _, given: (given.model, "the original"))
    balanced = replace(prepared, plan=replace(prepared.plan, balanced=True))
    model = training.made(parsed("subg"), balanced, Path()).model
    assert cut == [model]
    assert training.made(parsed("delivered_50"), balanced, Path()).model is prepared.model
    assert cut == [model]


def test_what_is_prepared_is_made_once_and_read_again(prepared: Prepared, tmp_path: Path) -> None:
    first = prepare(prepared.plan, 0, "cpu", tmp_path)
    (path,) = tmp_path.glob("original-*.pt")
    written = path.stat().st_mtime_ns
    again = prepare(prepared.plan, 0, "cpu", tmp_path)
    assert path.stat().st_mtime_ns == written
    assert again.chosen.equal(first.chosen)
    assert again.explained["attribution"].equal(first.explained["attribution"])
    assert weights(again, "original").equal(weights(first, "original"))


def test_the_figures_of_a_model_are_those_of_its_groups(prepared: Prepared) -> None:
    test = prepared.data.test

    class Knows(torch.nn.Module):
        """Right about the digits whose square shows their own class, and says that class of all others."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Linear(28 * 28, 10)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            shown = ((1 - images.flatten(1)[:, [0, 27, 756, 783]].amax(dim=1)) * 127.5 / 25).round()
            return torch.nn.functional.one_hot(shown.long().clamp(0, 9), 10).float() + 0 * self.scale(images.flatten(1))

    found = measured(Knows(), prepared)
    matching = (test.artefacts == test.labels).float().mean()
    assert found.figures["accuracy"] == pytest.approx(float(matching))
    assert {name for name, value in found.groups.items() if value == 1} == {
        name for name in test.groups if name.endswith("=matching")
    }
    assert found.figures["flip"] > 0.5
    assert set(found.figures) >= {"mu_align", "evidence"}


def test_plans_have_names_of_their_own_and_sizes_are_part_of_them() -> None:
    assert [named(name).name for name in NAMES] == list(NAMES)
    assert named("knees_224") == planned("knees", 224)
    assert planned("knees", 224).recipe.size == 224
    assert planned("knees", 128).name == "knees"
    assert planned("digits", 224) == planned("digits")
    assert not is_size_of_real("synthetic_knees")


@pytest.mark.parametrize("name", NAMES)
def test_every_class_has_words_for_the_lvlm(name: str) -> None:
    plan = planned(name)
    specification = plan.specification(len(plan.classes) - 1)
    assert specification.relevant
    assert specification.spurious
    assert specification.name == plan.classes[-1]
