import copy
import math
from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.worker.method.baselines.stripes import SCHEDULE, network, same_weights, stripes
from worker.method.baselines import training
from worker.method.baselines.protocol import Schedule

MADE = stripes(70, 0, against=0.1)
SHORT = replace(SCHEDULE, steps=12, looks=3)
EVERY = training.shuffled(torch.arange(70), 16)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_plain_training_is_the_textbook_loop() -> None:
    model, batches = copy.deepcopy(network()), EVERY(network(), generator())
    optimiser = torch.optim.AdamW(model.parameters(), lr=SHORT.learning_rate, weight_decay=SHORT.weight_decay)
    for step in range(12):
        chosen = next(batches)
        optimiser.param_groups[0]["lr"] = SHORT.learning_rate * (1 + math.cos(math.pi * step / 12)) / 2
        optimiser.zero_grad()
        F.cross_entropy(model(MADE.images[chosen]), MADE.labels[chosen]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert same_weights(training.train(network(), MADE.data, EVERY, SHORT, seed=0), model)


def test_shuffled_batches_show_every_entry_once_a_round_and_are_about_as_large_as_asked() -> None:
    pool = torch.tensor([*range(70), 3, 3])
    batches = list(islice(training.shuffled(pool, 16)(network(), generator()), 8))
    assert {len(batch) for batch in batches} == {18}
    for some in (batches[:4], batches[4:]):
        assert torch.cat(some).sort().values.tolist() == pool.sort().values.tolist()


def test_balanced_weights_draw_every_group_equally_often() -> None:
    groups = torch.tensor([0] * 60 + [1] * 9 + [3])
    weights = training.balanced(groups)
    drawn = torch.cat(list(islice(training.weighted(weights, 100)(network(), generator()), 60)))
    shares = groups[drawn].bincount() / len(drawn)
    torch.testing.assert_close(shares, torch.tensor([1 / 3, 1 / 3, 0, 1 / 3]), atol=0.03, rtol=0)


@pytest.mark.parametrize(("scores", "kept"), [([1, 3, 2], 2), ([3, 3, 1], 2), ([1, 2, 3], 3)])
def test_the_best_look_is_kept_and_of_equals_the_latest(scores: list[int], kept: int) -> None:
    seen: list[dict[str, Tensor]] = []

    def score(model: nn.Module) -> float:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return scores[len(seen) - 1]

    found = training.train(network(), MADE.data, EVERY, SHORT, 0, score=score).state_dict()
    assert len(seen) == 3
    assert [all(torch.equal(found[name], state[name]) for name in found) for state in seen].index(True) == kept - 1


def test_looks_are_spread_evenly_and_the_last_step_has_one() -> None:
    assert [step + 1 for step in range(10) if training._looks(Schedule(10, looks=4), step)] == [3, 5, 8, 10]
    assert [step + 1 for step in range(2) if training._looks(Schedule(2, looks=4), step)] == [1, 2]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="runs on a machine with a CUDA device")
def test_training_runs_where_the_model_is() -> None:
    found = training.train(network().cuda(), MADE.data, EVERY, SHORT, 0)
    assert next(found.parameters()).device.type == "cuda"
