"""DFR, deep feature reweighting: the last layer anew, on held-out images with the groups in equal parts.

Kirichenko et al. 2023, Last layer re-training is sufficient for robustness to spurious correlations (DFR on validation
images). It is told the groups of the validation images, which we are not. As there, features are standardised by the
training images; the strength of the L1 penalty is chosen by the worst group on one half of the validation images after
a fit on the other; then the logistic regressions of several balanced subsets of all of them are averaged. It takes no
step of an optimiser, so the schedule is not used, and no setting is left to tune but those that it tunes itself.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.method.baselines.groups import Grouped, worst_share
from worker.method.baselines.last_layer import features, last_linear
from worker.method.baselines.protocol import Schedule, Told, Tuned
from worker.method.baselines.sparse_logistic import Logistic, fit_logistic
from worker.method.baselines.subg import subset
from worker.method.realignment import Batches

TOLD: Told = "validation groups"


@dataclass(frozen=True)
class Settings:
    """inverse_penalty: C of the L1 penalty. subsets: how many balanced subsets are averaged over."""

    inverse_penalty: float = 1.0
    subsets: int = 20


GRID = tuple(Settings(strength) for strength in (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01))


@dataclass(frozen=True)
class _Held:
    """Standardised features (N, E), labels (N,) and groups (N,) of validation images."""

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
    train_on: Batches,
    validation: Grouped,
    schedule: Schedule,
    seed: int,
    settings: Settings = GRID[0],
) -> nn.Module:
    """A copy of the original with a new last layer. Same seed, same weights. Raises as ``features`` does."""
    del schedule
    mean, deviation = _scale(original, train_on)
    held = _held(original, validation, mean, deviation)
    generator = torch.Generator().manual_seed(seed)
    found = held.fitted(settings, settings.subsets, generator)
    weights = found.weights / deviation
    return _with_last_layer(original, weights, found.bias - weights @ mean)


def tuned(
    original: nn.Module,
    train_on: Batches,
    validation: Grouped,
    schedule: Schedule,
    seed: int,
    grid: Sequence[Settings] = GRID,
) -> Tuned[Settings]:
    """``fit`` with the settings whose worst group fares best on the half of the validation images left out."""
    held = _held(original, validation, *_scale(original, train_on))
    scores = chosen(held, seed, grid)
    best = grid[scores.index(max(scores))]
    return Tuned(fit(original, train_on, validation, schedule, seed, best), best, tuple(scores))


def chosen(held: _Held, seed: int, grid: Sequence[Settings]) -> list[float]:
    """For each of the settings, the worst group's accuracy on one half after a balanced fit on the other."""
    first, second = torch.randperm(len(held.labels), generator=torch.Generator().manual_seed(seed)).tensor_split(2)
    fitted, left_out = held.take(first), held.take(second)
    scores = []
    for settings in grid:
        # Every strength is judged on the same balanced subset.
        found = fitted.fitted(settings, 1, torch.Generator().manual_seed(seed))
        scores.append(worst_share(found.predict(left_out.features) == left_out.labels, left_out.groups))
    return scores


def _scale(original: nn.Module, train_on: Batches) -> tuple[Tensor, Tensor]:
    """Mean and deviation, both (E,), of the training images' features; one that never changes keeps its unit."""
    seen, _ = features(original, train_on)
    deviation = seen.std(dim=0, correction=0)
    return seen.mean(dim=0), torch.where(deviation > 0, deviation, 1.0)


def _held(original: nn.Module, validation: Grouped, mean: Tensor, deviation: Tensor) -> _Held:
    seen, labels = features(original, validation.data)
    return _Held((seen - mean) / deviation, labels, validation.groups, last_linear(original)[1].out_features)


def _with_last_layer(original: nn.Module, weights: Tensor, bias: Tensor) -> nn.Module:
    model = copy.deepcopy(original)
    layer = last_linear(model)[1]
    with torch.no_grad():
        layer.weight.copy_(weights)
        if layer.bias is None:
            layer.bias = nn.Parameter(layer.weight.new_zeros(len(bias)))
        layer.bias.copy_(bias)
    return model.eval()
