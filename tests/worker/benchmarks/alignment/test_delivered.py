from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.realignment.doubts import LEAST_CASES, doubts
from app.runs.parameters import AcceptanceBar
from tests.worker.method.drawn_clusters import draw
from worker.benchmarks.alignment import delivered, words
from worker.benchmarks.alignment.arms import parsed
from worker.benchmarks.alignment.plans import planned
from worker.benchmarks.alignment.prepared import Prepared, prepare
from worker.benchmarks.alignment.training import made
from worker.benchmarks.cluster_sets import ClusterSet

HERE = Path()
# What every epoch keeps, and what none does.
LOW = AcceptanceBar(accuracy_falls_at_most=1, group_falls_at_most=1, agreement_rises=None, answers_flip_at_most=1)
HIGH = LOW.model_copy(update={"accuracy_falls_at_most": -1})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(planned("digits", quick=True), 0, "cpu", tmp_path_factory.mktemp("digits"))


@pytest.fixture
def drawn() -> SimpleNamespace:
    """Sixty images of four clusters each, of which some are spurious."""
    data = draw(images=60, seed=0, noise=0.5)
    components = np.concatenate([np.arange(count) for count in np.bincount(data.clusters.images)])
    places = np.array(["corner", "middle", "upper part"])[data.kind]
    labels = np.zeros(60, dtype=np.int64)
    labels[data.clusters.images] = data.clusters.classes
    return SimpleNamespace(
        clusters=ClusterSet(data.clusters, data.truth, places, components),
        seed=0,
        chosen=torch.arange(60),
        data=SimpleNamespace(train=SimpleNamespace(labels=torch.from_numpy(labels))),
        plan=SimpleNamespace(classes=tuple(str(label) for label in range(int(labels.max()) + 1))),
        explained={
            "share": torch.zeros(60, 4),
            "assignment": torch.arange(4)[None, :, None].expand(60, 4, 4).to(torch.int8),
        },
    )


def weights(model: nn.Module) -> Tensor:
    return torch.cat([part.detach().flatten() for part in model.parameters()])


def against(name: str, drawn: SimpleNamespace) -> str:
    agreed = delivered.agreed_on(parsed(name), drawn)
    return " ".join(doubt.sentence for doubt in doubts(delivered.found_before(agreed, drawn)))


@pytest.mark.parametrize("error", ["", "_25", "_40", "_all"])
def test_what_is_not_looked_at_is_what_the_arm_consensus_does_not_look_at(drawn, error: str) -> None:
    agreed = delivered.agreed_on(parsed(f"delivered{error}"), drawn)
    expected = words.corrective_masks(parsed(f"consensus{error}"), drawn, HERE)
    assert delivered.masks_of(agreed.standing.spurious, drawn).equal(expected)
    assert 0 < expected.mean() < 1


def test_nothing_speaks_against_a_judge_that_is_right_and_much_against_one_that_guesses(drawn) -> None:
    assert against("delivered", drawn) == ""
    assert "verdicts" in against("delivered_50", drawn) or "judge" in against("delivered_50", drawn)


def test_words_that_follow_nothing_are_doubted_as_the_product_doubts_them(drawn) -> None:
    """On features that say nothing of their clusters."""
    features = drawn.clusters.clusters.features
    features[:] = np.random.default_rng(2).standard_normal(features.shape)
    assert "look like noise" in against("delivered_50", drawn)


def test_what_is_found_before_is_counted_on_the_alignment_set(drawn) -> None:
    drawn.plan.classes = (*drawn.plan.classes, "never drawn")
    agreed = delivered.agreed_on(parsed("delivered_25"), drawn)
    found, spurious = delivered.found_before(agreed, drawn), agreed.standing.spurious
    assert found.ingredients.pictures == 60
    assert found.ingredients.clusters == len(spurious)
    assert found.ingredients.with_spurious == len(set(drawn.clusters.clusters.images[spurious].tolist()))
    assert found.differ.value == pytest.approx((agreed.judged != spurious).mean())
    assert list(found.without) == ["never drawn"]


def test_the_blind_reading_tells_a_judge_from_a_guess() -> None:
    truth = np.arange(400) % 2 == 0
    assert delivered.blind_kappa(truth, truth, seed=0).value == 1
    assert delivered.blind_kappa(~truth, truth, seed=0).value < 0
    assert delivered.blind_kappa(truth, truth, seed=0).n == 24
    assert delivered.blind_kappa(truth[:10], truth[:10], seed=0).n == 5 < LEAST_CASES


def test_the_guard_chooses_the_epoch_and_that_is_said(prepared: Prepared, monkeypatch) -> None:
    monkeypatch.setattr(delivered, "doubts", lambda _: [])
    monkeypatch.setattr(delivered, "BAR", LOW)
    original = weights(prepared.model).clone()
    outcome = made(parsed("delivered"), prepared, HERE)
    assert outcome.chosen == "epoch 1 of 1, which keeps the bar"
    assert not weights(outcome.model).equal(original)
    assert weights(outcome.model).equal(weights(made(parsed("delivered"), prepared, HERE).model))
    assert weights(prepared.model).equal(original)


def test_where_no_epoch_keeps_the_bar_the_original_is_delivered(prepared: Prepared, monkeypatch) -> None:
    monkeypatch.setattr(delivered, "doubts", lambda _: [])
    monkeypatch.setattr(delivered, "BAR", HIGH)
    outcome = made(parsed("delivered"), prepared, HERE)
    assert outcome.chosen.startswith("the original: no epoch keeps the bar; epoch 1 of 1, which harms least, misses ")
    assert "accuracy" in outcome.chosen
    assert weights(outcome.model).equal(weights(prepared.model))


def test_in_doubt_nothing_is_trained(prepared: Prepared, monkeypatch) -> None:
    monkeypatch.setattr(delivered, "guarded", None)  # would fail if it were called
    monkeypatch.setattr(delivered, "blind_kappa", lambda *_: delivered.Estimate(value=-0.2, low=-0.4, high=0.0, n=24))
    outcome = made(parsed("delivered_25"), prepared, HERE)
    assert outcome.model is prepared.model
    assert "the original: " in outcome.chosen
    assert "hardly more than by chance" in outcome.chosen


def test_without_a_spurious_cluster_nothing_is_trained(prepared: Prepared, monkeypatch) -> None:
    said = delivered.agreed_on(parsed("delivered"), prepared)
    said.standing.spurious[:] = False
    monkeypatch.setattr(delivered, "agreed_on", lambda *_: said)
    outcome = made(parsed("delivered"), prepared, HERE)
    assert outcome.model is prepared.model
    assert outcome.chosen == "the original: no cluster stands as spurious"
