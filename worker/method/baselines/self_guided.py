"""Self-guided mitigation: learn to tell apart the behaviours that a model shows within a class.

Zheng et al. 2024, Learning robust classifiers with self-guided spurious correlation mitigation. It is told nothing but
labels. Attributes that an image may have are scored by how much they change a class's accuracy; images are clustered
by the scores of their attributes; class and cluster are the finer labels that the model learns, in equal parts, and at
the end a class's logit is its largest finer one. All is formed anew in every round of training. Where the paper is
silent, this follows its published code.

Simplified: (1) the paper's attributes are words of an image's caption by a large model; ours are the main directions of
the original's own features, an attribute being present above the mean, so that nothing is used that other rivals do
not have. (2) Classes, and clusters within a class, are shown equally often; the code weighs classes by how uneven
their clusters are. (3) The finer last layer starts with copies of the original's rows, not at random, for the schedule
is short. The delivered model ends in a maximum over clusters, which its explanations have to pass through.
"""

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from worker.method.baselines.groups import members
from worker.method.baselines.last_layer import features, last_linear, replace_last
from worker.method.baselines.measured import answers
from worker.method.baselines.protocol import Schedule, Told, Tuned, best_of
from worker.method.baselines.training import train
from worker.method.realignment import Batches

TOLD: Told = "nothing"
ATTRIBUTES = 8
ITERATIONS = 100  # of k-means
# Validation images of a class with an attribute are scored where there are more than these.
FEW = 20


@dataclass(frozen=True)
class Settings:
    """clusters: of prediction behaviour, within each class (K in the paper)."""

    clusters: int = 4


GRID = (Settings(4), Settings(3), Settings(2))


@dataclass(frozen=True)
class _Directions:
    """mean: (E,) of the features; basis: (E, A), along which the training images differ most."""

    mean: Tensor
    basis: Tensor

    def present(self, seen: Tensor) -> Tensor:
        """Which attributes images with features (N, E) have, (N, A) bool."""
        return (seen - self.mean) @ self.basis > 0


def directions(seen: Tensor) -> _Directions:
    """The principal directions of features (N, E), at most ``ATTRIBUTES``."""
    mean = seen.mean(dim=0)
    _, _, transposed = torch.linalg.svd(seen - mean, full_matrices=False)
    return _Directions(mean, transposed[:ATTRIBUTES].T)


def spuriousness(right: Tensor, labels: Tensor, present: Tensor, classes: int) -> Tensor:
    """Of every class and attribute tanh |log(accuracy with / accuracy without)|, (K, A) float64 in [0, 1).

    right: (N,) bool, whether the model gives image n its label; labels: (N,); present: (N, A) bool. It is 0 where the
    class has no image on one side, or none that is right.
    """
    members = F.one_hot(labels, classes).double()
    has, hits = present.double(), right.double()[:, None]
    with_it = (members.T @ (has * hits)) / (members.T @ has).clamp(min=1)
    without = (members.T @ ((1 - has) * hits)) / (members.T @ (1 - has)).clamp(min=1)
    compared = (with_it > 0) & (without > 0)
    return torch.where(compared, with_it / without.where(compared, 1.0), 1.0).log().abs().tanh()


def finer_labels(
    right: Tensor, labels: Tensor, present: Tensor, classes: int, clusters: int, generator: torch.Generator
) -> Tensor:
    """The label x clusters + the cluster of prediction behaviour, int64 (N,). Arguments as in ``spuriousness``."""
    embedding = present.double() * spuriousness(right, labels, present, classes)[labels]
    return labels * clusters + heaps(embedding, clusters, generator)


def heaps(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """K-means: the cluster of each point (N, D), int64 (N,) below ``count``; some are empty where few points differ."""
    seed = int(torch.randint(2**31, (), generator=generator))
    different = min(count, len(np.unique(points.numpy(), axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a cluster that lost all its points
        _, found = kmeans2(points.numpy(), different, iter=ITERATIONS, minit="++", seed=np.random.default_rng(seed))
    return torch.from_numpy(found).long()


def shares(finer: Tensor, clusters: int) -> Tensor:
    """Weights (N,) with which classes, and the clusters that a class has, are drawn equally often."""
    sizes = finer.bincount(minlength=clusters * (int(finer.max()) // clusters + 1))
    filled = (sizes.view(-1, clusters) > 0).sum(dim=1)
    return 1 / (sizes[finer] * filled[finer // clusters]).double()


class FinerLayer(nn.Module):
    """The last layer: (B, E) -> (B, K x clusters) in training, (B, K), the largest of each class, in evaluation."""

    def __init__(self, coarse: nn.Linear, clusters: int) -> None:
        super().__init__()
        self.clusters = clusters
        # Without first weights, which would be drawn from the global generator for nothing.
        size = (coarse.in_features, coarse.out_features * clusters)
        self.linear = skip_init(  # type: ignore[no-untyped-call]
            nn.Linear, *size, device=coarse.weight.device, dtype=coarse.weight.dtype
        )
        bias = coarse.weight.new_zeros(coarse.out_features) if coarse.bias is None else coarse.bias
        with torch.no_grad():
            self.linear.weight.copy_(coarse.weight.repeat_interleave(clusters, dim=0))
            self.linear.bias.copy_(bias.repeat_interleave(clusters))

    def forward(self, seen: Tensor) -> Tensor:
        logits: Tensor = self.linear(seen)
        return logits if self.training else logits.view(len(logits), -1, self.clusters).amax(dim=2)


class _Rounds:
    """Batches and loss of the finer labels, which are formed anew after every ``steps`` batches."""

    def __init__(
        self, data: Batches, present: Tensor, classes: int, clusters: int, steps: int, batch_size: int
    ) -> None:
        self.data, self.present, self.classes, self.clusters = data, present, classes, clusters
        self.steps, self.batch_size = steps, batch_size
        self.finer = torch.zeros(len(data), dtype=torch.int64)

    def sample(self, model: nn.Module, generator: torch.Generator) -> Iterator[Tensor]:
        while True:
            predicted, labels = answers(model, self.data)
            self.finer = finer_labels(predicted == labels, labels, self.present, self.classes, self.clusters, generator)
            weights = shares(self.finer, self.clusters)
            for _ in range(self.steps):
                yield torch.multinomial(weights, self.batch_size, replacement=True, generator=generator)

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, indices: Tensor) -> Tensor:
        del labels
        return F.cross_entropy(model(images), self.finer.to(indices.device)[indices])


def pseudo_unbiased(found: _Directions, original: nn.Module, validation: Batches) -> Callable[[nn.Module], float]:
    """The paper's criterion: mean accuracy over classes with an attribute, as found by the original, without groups.

    Where no class has more than ``FEW`` images with an attribute it is the mean accuracy.
    """
    seen, labels = features(original, validation)
    present = found.present(seen)
    sets = [some[present[some, attribute]] for some in members(labels) for attribute in range(present.shape[1])]
    large = [some for some in sets if len(some) > FEW] or [torch.arange(len(labels))]

    def score(model: nn.Module) -> float:
        predicted, told = answers(model, validation)
        right = (predicted == told).double()
        return sum(float(right[some].mean()) for some in large) / len(large)

    return score


def fit(
    original: nn.Module,
    train_on: Batches,
    validation: Batches,
    schedule: Schedule,
    seed: int,
    settings: Settings = GRID[0],
) -> nn.Module:
    """The original with a finer last layer, trained in as many rounds as the schedule has looks.

    Same seed, same weights. Raises ValueError as ``features`` does.
    """
    seen, _ = features(original, train_on)
    found = directions(seen)
    model, (_, coarse) = copy.deepcopy(original), last_linear(original)
    replace_last(model, FinerLayer(coarse, settings.clusters))
    each = max(1, schedule.steps // schedule.looks)
    rounds = _Rounds(train_on, found.present(seen), coarse.out_features, settings.clusters, each, schedule.batch_size)
    score = pseudo_unbiased(found, original, validation)
    return train(model, train_on, rounds.sample, schedule, seed, rounds.loss, score)


def tuned(
    original: nn.Module,
    train_on: Batches,
    validation: Batches,
    schedule: Schedule,
    seed: int,
    grid: Sequence[Settings] = GRID,
) -> Tuned[Settings]:
    """``fit`` with the settings that are best by ``pseudo_unbiased``."""
    score = pseudo_unbiased(directions(features(original, train_on)[0]), original, validation)
    return best_of(grid, lambda settings: fit(original, train_on, validation, schedule, seed, settings), score)
