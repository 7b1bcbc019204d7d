"""The training that rivals share: so many steps, on batches and with a loss that are the rival's own."""

import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worker.method.baselines.measured import device_of
from worker.method.baselines.protocol import Schedule
from worker.method.realignment import Batches

# Given the model in training and the source of randomness: endless batches of int64 indices (B,).
Sampler = Callable[[nn.Module, torch.Generator], Iterator[Tensor]]
# Given the model, images, labels and indices of a batch on the model's device: a scalar to minimise.
Loss = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]
Score = Callable[[nn.Module], float]


def cross_entropy(model: nn.Module, images: Tensor, labels: Tensor, indices: Tensor) -> Tensor:
    """Plain training (empirical risk minimisation)."""
    del indices
    return F.cross_entropy(model(images), labels)


def shuffled(pool: Tensor, batch_size: int) -> Sampler:
    """Every entry of the pool (N,) once, in random order, then again. An index that stands twice is shown twice."""

    def batches(_: nn.Module, generator: torch.Generator) -> Iterator[Tensor]:
        # Parts that differ by one image at most, so that no batch is too small for batch norm.
        count = max(1, len(pool) // batch_size)
        while True:
            yield from pool[torch.randperm(len(pool), generator=generator)].tensor_split(count)

    return batches


def weighted(weights: Tensor, batch_size: int) -> Sampler:
    """Images drawn with replacement, each in proportion to its weight (N,)."""

    def batches(_: nn.Module, generator: torch.Generator) -> Iterator[Tensor]:
        while True:
            yield torch.multinomial(weights, batch_size, replacement=True, generator=generator)

    return batches


def balanced(groups: Tensor) -> Tensor:
    """Weights (N,) with which every group (N,) int64 is drawn equally often."""
    return 1 / groups.bincount()[groups].double()


def train(
    original: nn.Module,
    data: Batches,
    sample: Sampler,
    schedule: Schedule,
    seed: int,
    loss: Loss = cross_entropy,
    score: Score | None = None,
) -> nn.Module:
    """A copy of the original, trained on its device and left in evaluation mode; the original stays as it is.

    score: early stopping. The weights of the look with the highest score are kept, of equals the latest; None keeps
        the last step's. The same seed gives the same weights; torch's global random state is left as it was.
    """
    model = copy.deepcopy(original).train()
    device = device_of(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    best: tuple[float, dict[str, Tensor]] | None = None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        batches = sample(model, torch.Generator().manual_seed(seed))
        for step in range(schedule.steps):
            indices = next(batches)
            _set_rate(optimiser, schedule, step)
            images, labels = data.take(indices)
            optimiser.zero_grad()
            loss(model, images.to(device), labels.to(device), indices.to(device)).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if score is not None and _looks(schedule, step):
                best = _better(best, score(model), model)
    if best is not None:
        model.load_state_dict(best[1])
    return model.eval()


def _better(
    best: tuple[float, dict[str, Tensor]] | None, found: float, model: nn.Module
) -> tuple[float, dict[str, Tensor]]:
    if best is not None and best[0] > found:
        return best
    return found, copy.deepcopy(model.state_dict())


def _looks(schedule: Schedule, step: int) -> bool:
    """Whether one of the looks follows this step; the last step always has one."""
    return step + 1 in {-(-schedule.steps * look // schedule.looks) for look in range(1, schedule.looks + 1)}


def _set_rate(optimiser: torch.optim.Optimizer, schedule: Schedule, step: int) -> None:
    rate = schedule.learning_rate * (1 + math.cos(math.pi * step / schedule.steps)) / 2
    for group in optimiser.param_groups:
        group["lr"] = rate
