"""Learning by self-explaining: an explanation is good if a critic can tell the class from it alone.

Stammer et al. 2024, Learning by self-explaining (CNN-LSX). It is told nothing but labels. At every step of the learner
a new critic passes once over the learner's explanations of some training images, input x gradient of the label's
logit, clipped below zero and scaled to [0, 1]; the gradient of the critic's mean loss, through the explanations, joins
that of the learner's own.

Simplified: the critic is a network of two convolutions, whatever the learner is; its set of images is small, since
each costs a second derivative at every step; explanations are made in evaluation mode, so that one image's does not
depend on the others; the learner's optimiser is that of all rivals. The published code weighs the critic's loss like
the learner's; here its weight is chosen by the mean validation accuracy. The last step's model is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worker.method.baselines.measured import mean_accuracy
from worker.method.baselines.protocol import Schedule, Told, Tuned, best_of
from worker.method.baselines.training import shuffled, train
from worker.method.realignment import Batches

TOLD: Told = "nothing"
CRITIC_RATE = 0.2
CRITIC_WIDTHS = (16, 32)
# The critic sees where in the picture an explanation lies, to a quarter of each side.
CRITIC_SIDE = 4


@dataclass(frozen=True)
class Settings:
    """weight: of the critic's loss. images: of the critic's set; batch_size: of the critic."""

    weight: float = 10.0
    images: int = 64
    batch_size: int = 16


GRID = (Settings(10.0), Settings(1.0), Settings(0.1))


def explanation(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """What speaks for the label in the learner's eyes, (B, C, H, W) in [0, 1], differentiable by its weights."""
    given = images.detach().requires_grad_()
    chosen = model(given).gather(1, labels[:, None]).sum()
    (gradient,) = torch.autograd.grad(chosen, given, create_graph=True)
    positive = (given * gradient).clamp(min=0)
    largest = positive.flatten(1).amax(dim=1)[:, None, None, None]
    return positive / largest.clamp(min=torch.finfo(positive.dtype).tiny)


def new_critic(channels: int, classes: int) -> nn.Module:
    """(B, C, H, W) explanations -> (B, K) logits, with weights from torch's global generator."""
    first, second = CRITIC_WIDTHS
    return nn.Sequential(
        nn.Conv2d(channels, first, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(CRITIC_SIDE),
        nn.Flatten(),
        nn.Linear(second * CRITIC_SIDE**2, classes),
    )


def feedback(
    model: nn.Module, critic: nn.Module, images: Tensor, labels: Tensor, batch_size: int
) -> tuple[float, list[Tensor]]:
    """The critic's mean loss in one pass, in which it learns, and the gradient of that by each weight of the learner.

    model: the learner; it is left in the mode it was in, and its weights and their gradients as they are.
    """
    learner, own = list(model.parameters()), list(critic.parameters())
    optimiser = torch.optim.Adadelta(own, lr=CRITIC_RATE)
    total, sums = 0.0, [torch.zeros_like(weight) for weight in learner]
    parts = list(zip(torch.split(images, batch_size), torch.split(labels, batch_size), strict=True))
    training = model.training
    model.eval()
    for some, told in parts:
        loss = F.cross_entropy(critic(explanation(model, some, told)), told)
        found = torch.autograd.grad(loss, [*learner, *own], allow_unused=True)
        for weight, gradient in zip(own, found[len(learner) :], strict=True):
            weight.grad = gradient
        optimiser.step()
        # A weight that no explanation depends on, such as the last layer's bias, hears nothing.
        for so_far, gradient in zip(sums, found, strict=False):
            if gradient is not None:
                so_far.add_(gradient, alpha=1 / len(parts))
        total += float(loss.detach()) / len(parts)
    model.train(training)
    return total, sums


def with_gradient(model: nn.Module, value: float, gradients: Sequence[Tensor]) -> Tensor:
    """A scalar of this value whose gradient by the model's weights is the given one."""
    product = torch.stack([(w * g).sum() for w, g in zip(model.parameters(), gradients, strict=True)]).sum()
    return value + (product - product.detach())


def fit(
    original: nn.Module,
    train_on: Batches,
    validation: Batches,
    schedule: Schedule,
    seed: int,
    settings: Settings = GRID[0],
) -> nn.Module:
    """The original, trained further with the critic's feedback. Same seed, same weights."""
    del validation
    generator = torch.Generator().manual_seed(seed)
    shown = torch.randperm(len(train_on), generator=generator)[: settings.images]
    images, labels = train_on.take(shown)

    def loss(model: nn.Module, batch: Tensor, told: Tensor, indices: Tensor) -> Tensor:
        del indices
        logits = model(batch)
        critic = new_critic(batch.shape[1], logits.shape[1]).to(batch.device)
        heard = feedback(model, critic, images.to(batch.device), labels.to(batch.device), settings.batch_size)
        return F.cross_entropy(logits, told) + settings.weight * with_gradient(model, *heard)

    return train(original, train_on, shuffled(torch.arange(len(train_on)), schedule.batch_size), schedule, seed, loss)


def tuned(
    original: nn.Module,
    train_on: Batches,
    validation: Batches,
    schedule: Schedule,
    seed: int,
    grid: Sequence[Settings] = GRID,
) -> Tuned[Settings]:
    """``fit`` with the settings of the highest mean accuracy on validation images."""
    return best_of(
        grid,
        lambda settings: fit(original, train_on, validation, schedule, seed, settings),
        partial(mean_accuracy, data=validation),
    )
