"""What a model says of images."""

import torch
from torch import Tensor, nn

AT_ONCE = 128


def logits_of(model: nn.Module, images: Tensor, at_once: int = AT_ONCE) -> Tensor:
    """Logits of every image, computed where the model is and brought to the CPU: (N, C, H, W) -> (N, K).

    model: in evaluation mode. at_once: images in one forward pass, which bounds the memory. No images give (0, 0).
    """
    if not len(images):
        return torch.empty(0, 0)
    device = next(model.parameters()).device
    with torch.no_grad():
        return torch.cat([model(part.to(device)).float().cpu() for part in torch.split(images, at_once)])
