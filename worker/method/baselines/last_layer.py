"""A network in two parts: what it makes of a picture, and the linear layer that decides on it."""

import torch
from torch import Tensor, nn

from worker.method.baselines.measured import device_of, evaluating, portions
from worker.method.realignment import Batches


def last_linear(model: nn.Module) -> tuple[str, nn.Linear]:
    """The name and the layer. Raises ValueError when the model has no linear layer."""
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError("The model has no linear layer that could be trained anew.")
    return linear[-1]


def replace_last(model: nn.Module, layer: nn.Module) -> None:
    """Put ``layer`` where the model's last linear layer is."""
    name, _ = last_linear(model)
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, layer)


def features(model: nn.Module, data: Batches) -> tuple[Tensor, Tensor]:
    """What the last linear layer is given, (N, E) float64, and the labels, (N,) int64; both on the CPU.

    Raises ValueError when the model has no linear layer, or when its answer is not this layer's.
    """
    seen: list[tuple[Tensor, Tensor]] = []
    labels = []
    handle = last_linear(model)[1].register_forward_hook(lambda _, given, out: seen.append((given[0], out)))
    try:
        with evaluating(model):
            for images, told in portions(data):
                answer = model(images.to(device_of(model)))
                if not torch.equal(seen[-1][1], answer):
                    raise ValueError("The model does not end in its last linear layer, so it cannot be trained anew.")
                labels.append(told.cpu())
    finally:
        handle.remove()
    return torch.cat([given.double().cpu() for given, _ in seen]), torch.cat(labels)
