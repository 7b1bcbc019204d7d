"""What a model answers on images that need not all be in memory, and how often it is right."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from worker.method.baselines.groups import Grouped, worst_share
from worker.method.realignment import Batches

# Images in one forward pass.
PORTION = 128


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode and without gradients, and afterwards in the mode it was in."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def portions(data: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    """All images (B, C, H, W) and labels (B,), in order and portion by portion."""
    for indices in torch.split(torch.arange(len(data)), PORTION):
        yield data.take(indices)


def answers(model: nn.Module, data: Batches) -> tuple[Tensor, Tensor]:
    """The predicted classes and the labels, both (N,) int64 on the CPU."""
    predicted, labels = [], []
    with evaluating(model):
        for images, told in portions(data):
            predicted.append(model(images.to(device_of(model))).argmax(dim=1).cpu())
            labels.append(told.cpu())
    return torch.cat(predicted), torch.cat(labels)


def mean_accuracy(model: nn.Module, data: Batches) -> float:
    """Share of the images that the model is right on."""
    predicted, labels = answers(model, data)
    return float((predicted == labels).double().mean())


def worst_group_accuracy(model: nn.Module, told: Grouped) -> float:
    """The accuracy of the group that the model is least often right on; small groups count like the others."""
    predicted, labels = answers(model, told.data)
    return worst_share(predicted == labels, told.groups)
