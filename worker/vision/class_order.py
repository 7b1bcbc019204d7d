"""A checkpoint's outputs, put into the project's order of classes."""

import torch
from torch import nn

from app.languages.messages import Message
from worker.vision.checkpoints import CheckpointError


def reorder_outputs(model: nn.Module, example: torch.Tensor, order: list[int]) -> None:
    """Permutes the rows of the last layer, so that output i becomes what output ``order[i]`` was.

    model: in evaluation mode; example: (B, C, H, W). Architectures name their last layer as they please, so it is
    found by its width and the result is proven on the example. Raises CheckpointError where that does not hold.
    """
    if order == sorted(order):
        return
    with torch.no_grad():
        wanted = model(example)[:, order]
        layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d) and len(m.weight) == len(order)]
        for parameter in layers[-1].parameters() if layers else ():
            parameter.copy_(parameter[order].clone())
        if not torch.allclose(model(example), wanted, atol=1e-4):
            raise CheckpointError(
                Message("The outputs of this architecture can't be reordered; give the classes in the project's order.")
            )
