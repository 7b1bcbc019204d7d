import math

import pytest
import torch

from worker.lvlm.embedded.teaching import RARITY
from worker.lvlm.embedded.tower import COLOURS, THINGS, which_thing

OUTPUTS = THINGS + THINGS * COLOURS


def slowly(scores: torch.Tensor, labels: torch.Tensor, rarity: torch.Tensor) -> float:
    """Grid by grid, patch by patch: the things alone, then the things under each colour."""
    total = 0.0
    for start, width in ((0, 1), (THINGS, COLOURS)):
        lost = counted = 0.0
        for row, wanted in zip(scores.tolist(), labels.tolist(), strict=True):
            for colour in range(width):
                at = [start + thing * width + colour for thing in range(THINGS)]
                shown = [thing for thing in range(THINGS) if wanted[at[thing]]]
                if shown:
                    norm = math.log(sum(math.exp(row[index]) for index in at))
                    weight = max(float(rarity[thing]) for thing in shown)
                    lost += weight * sum(norm - row[at[thing]] for thing in shown) / len(shown)
                    counted += weight
        total += lost / counted
    return total


def test_the_things_are_told_apart_as_patch_by_patch():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(30, OUTPUTS, generator=generator)
    labels = (torch.rand(30, OUTPUTS, generator=generator) < 0.05).float()
    rarity = torch.rand(THINGS, generator=generator) * (RARITY[1] - RARITY[0]) + RARITY[0]
    found = which_thing(scores.reshape(2, 15, OUTPUTS), labels.reshape(2, 15, OUTPUTS), rarity)
    assert float(found) == pytest.approx(slowly(scores, labels, rarity), rel=1e-4)


def test_nothing_is_lost_where_nothing_is_shown_or_all_is_told():
    nothing = torch.zeros(4, OUTPUTS)
    assert float(which_thing(torch.randn(4, OUTPUTS), nothing, torch.ones(THINGS))) == 0
    one = torch.zeros(4, OUTPUTS)
    one[:, 0] = one[:, THINGS] = 1
    assert float(which_thing(100 * one, one, torch.ones(THINGS))) == pytest.approx(0, abs=1e-6)


def test_a_rare_thing_counts_more_than_a_common_one():
    labels = torch.zeros(2, OUTPUTS)
    labels[0, 0] = labels[1, 1] = 1  # a patch of the rare thing, one of the common
    rarity = torch.ones(THINGS)
    rarity[0] = 3.0
    wrong_on_rare, wrong_on_common = torch.zeros(2, OUTPUTS), torch.zeros(2, OUTPUTS)
    wrong_on_rare[0, 1] = wrong_on_common[1, 0] = 5.0
    assert which_thing(wrong_on_rare, labels, rarity) > which_thing(wrong_on_common, labels, rarity)
