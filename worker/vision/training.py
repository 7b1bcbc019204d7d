"""The first training of a checkpoint: plain cross-entropy, in the same resumable epochs as a realignment.

``realign(model, start(model, s), (images, labels), None, s, ...)`` with ``s`` from here trains it: without alignment
images the control arm is ordinary training.
"""

import torch
from torch import Tensor, nn

from app.languages.messages import Message
from worker.method.realignment import RealignmentSettings
from worker.vision.architectures import ArchitectureError, pretrained


def training_settings(epochs: int, learning_rate: float = 1e-3, batch_size: int = 32) -> RealignmentSettings:
    return RealignmentSettings(loss="control", epochs=epochs, learning_rate=learning_rate, batch_size=batch_size)


def load_pretrained(model: nn.Module, name: str) -> None:
    """Start from the installed ImageNet weights of this architecture, with zeros in the last layer.

    timm draws a new last layer for few classes so wide (0.4 for two) that its noise outweighs what a small training
    set can teach: on 756 real knees, one seed, three epochs gave a validation accuracy of .84 with it, .91 from zero.
    A first convolution for grey images gets the sum of the weights for red, green and blue, which answers a grey
    picture as the colour model does. Raises ArchitectureError when no weights are installed.
    """
    given = pretrained(name)
    if given is None:
        raise ArchitectureError(
            Message(
                "No ImageNet weights of %(name)s are installed, and weights are never downloaded. "
                "Import them as a checkpoint, or train from scratch.",
                name=name,
            )
        )
    own = model.state_dict()
    model.load_state_dict({key: _fitting(given.get(key), value) for key, value in own.items()})


def _fitting(given: Tensor | None, own: Tensor) -> Tensor:
    if given is None:
        return own
    if given.dim() == 4 and given.shape[1] == 3 and own.shape[1] == 1:  # noqa: PLR2004 - colour to grey
        given = given.sum(dim=1, keepdim=True)
    return given if given.shape == own.shape else torch.zeros_like(own)
