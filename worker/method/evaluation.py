"""How good a model is, group by group, and what it answers when its shortcut is taken away, added or exchanged."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from worker.method import counterfactual
from worker.method.significance import bootstrap

# A group with fewer images than this says too little to be the worst one.
MIN_GROUP = 10
# Images in one forward pass of the settling test.
PORTION = 256
# 97.5 % point of the normal distribution.
Z = 1.959963984540054

Operation = Literal["remove", "add", "cover", "move"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


@dataclass(frozen=True)
class Proportion:
    """A share of n cases with its 95 % interval (Wilson 1927)."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Estimate:
    """A mean over n images with its 95 % interval, from the bootstrap unless told."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Effect:
    """What an operation on the spurious region does to the predictions.

    flipped: share of the images whose predicted class changes.
    change:  mean change of the label's probability, after minus before, in [-1, 1].
    """

    flipped: Proportion
    change: Estimate


def proportion(hits: Tensor) -> Proportion:
    """Share of true values, with the Wilson interval. hits: (N,) bool. Without cases it is 0, somewhere in [0, 1]."""
    n = len(hits)
    if n == 0:
        return Proportion(0.0, 0.0, 1.0, 0)
    share = float(hits.double().mean())
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Proportion(share, max(0.0, middle - half), min(1.0, middle + half), n)


def estimate(values: Tensor, seed: int = 0) -> Estimate:
    """Mean of values (N,), N at least 1, with its bootstrap interval."""
    low, high = bootstrap(values.double().cpu().numpy(), seed)
    return Estimate(float(values.double().mean()), low, high, len(values))


def accuracy(logits: Tensor, labels: Tensor) -> Proportion:
    """Share of images whose largest logit is the label's. logits: (N, K); labels: (N,)."""
    return proportion(logits.argmax(dim=1) == labels)


def by_group(correct: Tensor, groups: Sequence[str]) -> dict[str, Proportion]:
    """Accuracy of every group, in alphabetical order. correct: (N,) bool; groups: the N group names."""
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    return {group: proportion(correct[members[group]]) for group in sorted(members)}


def worst_group(groups: Mapping[str, Proportion], at_least: int = MIN_GROUP) -> tuple[str, Proportion] | None:
    """The group of lowest accuracy among those with ``at_least`` images (WGA), or None where there is none."""
    large = [(name, share) for name, share in groups.items() if share.n >= at_least]
    return min(large, key=lambda group: group[1].value, default=None)


def average_of_groups(groups: Mapping[str, Proportion], at_least: int = MIN_GROUP) -> Estimate | None:
    """Mean of the groups' accuracies, every group with ``at_least`` images counting alike (AGA), or None.

    Its interval is put together from those of the groups (MOVER, Zou and Donner 2008, eq. 7), so that it keeps a width
    where every group is all right.
    """
    large = [share for share in groups.values() if share.n >= at_least]
    if not large:
        return None
    mean = sum(share.value for share in large) / len(large)
    below = math.hypot(*(share.value - share.low for share in large)) / len(large)
    above = math.hypot(*(share.high - share.value for share in large)) / len(large)
    return Estimate(mean, mean - below, mean + above, sum(share.n for share in large))


def mu_align(attribution: Tensor, truth: Tensor) -> Estimate:
    """1 - mean over images of (sum A |Phi| / sum |Phi|): the attribution off the true spurious masks (LVLM-VA).

    It misleads alone: a model that answers always the same scores 0.995. Read it beside the accuracy.
    attribution: (N, H, W); truth: (N, H, W) bool. An image without any attribution counts as 1.
    """
    size = attribution.abs()
    whole = size.sum(dim=(1, 2)).clamp(min=torch.finfo(size.dtype).tiny)
    return estimate(1 - (size * truth).sum(dim=(1, 2)) / whole)


def settling_test(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    masks: Tensor,
    seed: int,
    operations: Sequence[Operation] = OPERATIONS,
) -> dict[Operation, Effect]:
    """Remove the spurious region, add one of another class, or exchange it: a model that is right holds its answer.

    It may change it where the region that is added hides what is relevant. So much of ``add`` is told by ``cover``: the
    same places of the same images filled in from their surroundings, without any region.

    model: in evaluation mode, (B, C, H, W) -> (B, K), on the device of the images; masks: (N, 1, H, W), 1 on the
    spurious region, empty where there is none. ``add`` and ``cover`` are done to every image, the others where there is
    a region. An operation that no image allows is left out of the result.
    """
    generator = torch.Generator().manual_seed(seed)
    donors = counterfactual.donors_of_another_class(labels, masks, generator)
    has_region, has_donor = masks.flatten(1).any(dim=1), donors >= 0
    others, theirs = images[donors], masks[donors]
    changed: dict[Operation, tuple[Callable[[], Tensor], Tensor]] = {
        "remove": (lambda: counterfactual.remove(images, masks), has_region),
        "add": (lambda: counterfactual.add(images, others, theirs), has_donor),
        "cover": (lambda: counterfactual.inpaint(images, theirs), has_donor),
        "move": (lambda: counterfactual.move(images, masks, others, theirs), has_region & has_donor),
    }
    before, found = _probabilities(model, images), dict[Operation, Effect]()
    for name in operations:
        pictures, allowed = changed[name]
        if bool(allowed.any()):
            found[name] = _effect(before[allowed], _probabilities(model, pictures()[allowed]), labels[allowed])
    return found


def _probabilities(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        parts = [model(images[start : start + PORTION]) for start in range(0, len(images), PORTION)]
    return torch.cat(parts).softmax(dim=1)


def _effect(before: Tensor, after: Tensor, labels: Tensor) -> Effect:
    flipped = proportion(before.argmax(dim=1) != after.argmax(dim=1))
    change = (after - before).gather(1, labels[:, None])[:, 0]
    return Effect(flipped, estimate(change))
