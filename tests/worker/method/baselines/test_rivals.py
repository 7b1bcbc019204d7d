"""What holds for every rival, and which of them take the shortcut away from a model."""

import copy
import inspect
from dataclasses import replace
from functools import cache
from types import ModuleType

import pytest
import torch
from torch import nn

from tests.worker.method.baselines import stripes
from tests.worker.method.baselines.stripes import SCHEDULE, SEEDS, Case, network, same_weights, without_shortcut
from worker.method.baselines import caipi, decorrelated, dfr, groupdro, jtt, self_explaining, self_guided, subg
from worker.method.baselines.groups import Grouped
from worker.method.baselines.protocol import Schedule

RIVALS = [subg, groupdro, decorrelated, dfr, jtt, caipi, self_guided, self_explaining]
SHORT = replace(SCHEDULE, steps=10)
case = cache(stripes.case)


def run(rival: ModuleType, given: Case, seed: int, schedule: Schedule = SHORT) -> nn.Module:
    train_on = given.train.grouped if rival.TOLD == "groups" else given.train.data
    validation = given.validation.grouped if rival.TOLD == "groups" else given.validation.data
    masks = {"alignment": given.train.aligned} if rival.TOLD == "masks" else {}
    fitted: nn.Module = rival.fit(given.original, train_on, validation, schedule, seed, **masks)
    return fitted


@pytest.mark.parametrize("rival", RIVALS)
def test_a_rival_is_given_what_it_is_told_and_nothing_else(rival: ModuleType) -> None:
    for function in (rival.fit, rival.tuned):
        given = inspect.signature(function).parameters
        assert (given["train_on"].annotation is Grouped) == (rival.TOLD == "groups")
        assert (given["validation"].annotation is Grouped) == (rival.TOLD == "groups")
        assert ("alignment" in given) == (rival.TOLD == "masks")
        known = {"original", "train_on", "validation", "schedule", "seed", "settings", "grid", "alignment", "initial"}
        assert set(given) <= known


@pytest.mark.parametrize("rival", RIVALS)
def test_the_same_seed_gives_the_same_weights_to_the_bit_and_leaves_everything_else_alone(rival: ModuleType) -> None:
    given = case(0)
    before = {name: value.clone() for name, value in given.original.state_dict().items()}
    torch.manual_seed(1)
    first = run(rival, given, seed=3)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert same_weights(first, run(rival, given, seed=3))
    assert torch.equal(state, torch.get_rng_state())
    assert not same_weights(first, run(rival, given, seed=4))
    assert all(torch.equal(value, before[name]) for name, value in given.original.state_dict().items())
    assert not first.training


@pytest.mark.parametrize("rival", RIVALS)
def test_a_rival_answers_as_many_classes_as_the_original(rival: ModuleType) -> None:
    given = case(0)
    fitted = run(rival, given, seed=0)
    assert fitted(given.train.images[:3]).shape == (3, 2)
    assert not same_weights_where_shared(fitted, given.original)


def same_weights_where_shared(one: nn.Module, other: nn.Module) -> bool:
    held = other.state_dict()
    return all(name in held and torch.equal(value, held[name]) for name, value in one.state_dict().items())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="runs on a machine with a CUDA device")
@pytest.mark.parametrize("rival", RIVALS)
def test_a_rival_trains_where_the_original_is(rival: ModuleType) -> None:
    given = case(0)
    there = replace(given, original=copy.deepcopy(given.original).cuda())
    fitted = run(rival, there, seed=3)
    assert {weight.device.type for weight in fitted.parameters()} == {"cuda"}
    # The same batches, added up in another order.
    answers = fitted(given.validation.images.cuda()).argmax(dim=1).cpu()
    ours = run(rival, given, seed=3)(given.validation.images).argmax(dim=1)
    assert float((answers == ours).float().mean()) > 0.95


@pytest.mark.parametrize("rival", RIVALS)
def test_settings_are_chosen_among_the_grid_by_validation_images(rival: ModuleType) -> None:
    given = case(0)
    train_on = given.train.grouped if rival.TOLD == "groups" else given.train.data
    validation = given.validation.grouped if rival.TOLD == "groups" else given.validation.data
    masks = {"alignment": given.train.aligned} if rival.TOLD == "masks" else {}
    short = replace(SHORT, steps=4)
    found = rival.tuned(given.original, train_on, validation, short, 0, rival.GRID[:2], **masks)
    best = rival.GRID[found.scores.index(max(found.scores))]
    assert len(found.scores) == 2
    assert found.settings == best
    again = rival.fit(given.original, train_on, validation, short, 0, best, **masks)
    assert same_weights(found.model, again)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("rival", "margin"), [(subg, 0.1), (decorrelated, 0.04), (groupdro, 0.03), (dfr, 0.1), (caipi, 0.1)]
)
def test_it_beats_plain_training_on_the_images_without_the_shortcut(
    rival: ModuleType, margin: float, seed: int
) -> None:
    given = case(seed)
    assert without_shortcut(run(rival, given, seed, SCHEDULE), seed) > plain_again(seed) + margin


@pytest.mark.parametrize("seed", SEEDS)
def test_training_twice_beats_plain_training_where_the_first_model_has_just_begun(seed: int) -> None:
    given = case(seed)
    twice = jtt.fit(given.original, given.train.data, given.validation.data, SCHEDULE, seed, initial=network(seed))
    assert without_shortcut(twice, seed) > plain_again(seed) + 0.04


@cache
def plain_again(seed: int) -> float:
    """The original trained plainly as much longer as the rivals train it."""
    given = case(seed)
    found = without_shortcut(stripes.plain(given.original, given.train, seed), seed)
    assert found < 0.85
    return found
