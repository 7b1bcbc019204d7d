"""DFR, deep feature reweighting: the last layer anew, on images with the groups in equal parts.

Kirichenko et al. 2023, Last layer re-training is sufficient for robustness to spurious correlations. It is told the
groups of training and validation images, which we are not. Its last layer is fitted on validation images, which the
features were not made for, unless one of the groups has fewer than ``evaluation.MIN_GROUP`` of these: then, as the
paper does for comparison, on training images. (The real knees have three of the rarest group to validate with, and
twenty-two to train with; the paper's sets have a hundred and more.)

As there, features are standardised by the training images; the strength of the L1 penalty is chosen by the worst group
of validation images that were not fitted, of one half after a fit on the other where all of them will be; then the
logistic regressions of several balanced subsets are averaged. It takes no step of an optimiser, so the schedule is not
used, and no setting is left to tune but those that it tunes itself.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.method.baselines.groups import Grouped, members, worst_share
from worker.method.baselines.last_layer import features, last_linear
from worker.method.baselines.protocol import Schedule, Told, Tuned
from worker.method.baselines.sparse_logistic import Logistic, fit_logistic
from worker.method.baselines.subg import subset
from worker.method.evaluation import MIN_GROUP

TOLD: Told = "groups"


@dataclass(frozen=True)
class Settings:
    """inverse_penalty: C of the L1 penalty. subsets: how many balanced subsets are averaged over."""

    inverse_penalty: float = 1.0
    subsets: int = 20


GRID = tuple(Settings(strength) for strength in (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01))


@dataclass(frozen=True)
class _Held:
    """Standardised features (N, E), labels (N,) and groups (N,) of images."""

    features: Tensor
    labels: Tensor
    groups: Tensor
    classes: int

    def take(self, indices: Tensor) -> "_Held":
        return _Held(self.features[indices], self.labels[indices], self.groups[indices], self.classes)

    def fitted(self, settings: Settings, subsets: int, generator: torch.Generator) -> Logistic:
        """The mean of the logistic regressions on so many balanced subsets."""
        chosen = torch.stack([subset(self.groups, generator) for _ in range(subsets)])
        return fit_logistic(self.features[chosen], self.labels[chosen], self.classes, settings.inverse_penalty).mean()


def fit(
    original: nn.Module,
    train_on: Grouped,
    validation: Grouped,
    schedule: Schedule,
    seed: int,
    settings: Settings = GRID[0],
) -> nn.Module:
    """A copy of the original with a new last layer. Same seed, same weights. Raises as ``features`` does."""
    del schedule
    scale = mean, deviation = _scale(original, train_on)
    held = _held(original, validation if suffices(validation, train_on) else train_on, scale)
    generator = torch.Generator().manual_seed(seed)
    found = held.fitted(settings, settings.subsets, generator)
    weights = found.weights / deviation
    return _with_last_layer(original, weights, found.bias - weights @ mean)


def tuned(
    original: nn.Module,
    train_on: Grouped,
    validation: Grouped,
    schedule: Schedule,
    seed: int,
    grid: Sequence[Settings] = GRID,
) -> Tuned[Settings]:
    """``fit`` with the settings whose worst group fares best on validation images that were not fitted."""
    scale = _scale(original, train_on)
    held = _held(original, validation, scale)
    fitted, left_out = (
        halves(held, seed) if suffices(validation, train_on) else (_held(original, train_on, scale), held)
    )
    scores = chosen(fitted, left_out, seed, grid)
    best = grid[scores.index(max(scores))]
    return Tuned(fit(original, train_on, validation, schedule, seed, best), best, tuple(scores))


def suffices(validation: Grouped, train_on: Grouped) -> bool:
    """Whether validation images have as many groups as training images, and enough of each to fit a layer on."""
    sizes = [len(some) for some in members(validation.groups)]
    return len(sizes) == len(members(train_on.groups)) and min(sizes) >= MIN_GROUP


def halves(held: _Held, seed: int) -> tuple[_Held, _Held]:
    first, second = torch.randperm(len(held.labels), generator=torch.Generator().manual_seed(seed)).tensor_split(2)
    return held.take(first), held.take(second)


def chosen(fitted: _Held, left_out: _Held, seed: int, grid: Sequence[Settings]) -> list[float]:
    """For each of the settings, the worst group's accuracy on the one after a balanced fit on the other."""
    scores = []
    for settings in grid:
        # Every strength is judged on the same balanced subset.
        found = fitted.fitted(settings, 1, torch.Generator().manual_seed(seed))
        scores.append(worst_share(found.predict(left_out.features) == left_out.labels, left_out.groups))
    return scores


def _scale(original: nn.Module, train_on: Grouped) -> tuple[Tensor, Tensor]:
    """Mean and deviation, both (E,), of the training images' features; one that never changes keeps its unit."""
    seen, _ = features(original, train_on.data)
    deviation = seen.std(dim=0, correction=0)
    return seen.mean(dim=0), torch.where(deviation > 0, deviation, 1.0)


def _held(original: nn.Module, known: Grouped, scale: tuple[Tensor, Tensor]) -> _Held:
    mean, deviation = scale
    seen, labels = features(original, known.data)
    return _Held((seen - mean) / deviation, labels, known.groups, last_linear(original)[1].out_features)


def _with_last_layer(original: nn.Module, weights: Tensor, bias: Tensor) -> nn.Module:
    model = copy.deepcopy(original)
    layer = last_linear(model)[1]
    with torch.no_grad():
        layer.weight.copy_(weights)
        if layer.bias is None:
            layer.bias = nn.Parameter(layer.weight.new_zeros(len(bias)))
        layer.bias.copy_(bias)
    return model.eval()
