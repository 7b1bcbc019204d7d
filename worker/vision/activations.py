"""What a network makes of pictures before its last layer, for telling which of them look alike."""

import torch
from torch import Tensor, nn

from worker.vision.architectures import EFFICIENTNET_LITE0, build, pretrained
from worker.vision.preprocessing import Preprocessing

# Pictures in one forward pass.
PORTION = 64
SIZE = 96
IMAGENET_CLASSES = 1000


def penultimate(model: nn.Module, images: Tensor) -> Tensor:
    """What the model's last linear layer is given: (B, C, H, W) -> (B, E) float32.

    The model is neither changed nor left in another mode. Raises ValueError when it has no linear layer.
    """
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError("The model has no linear layer whose input could be taken.")
    seen: list[Tensor] = []
    hook = linear[-1].register_forward_pre_hook(lambda _, given: seen.append(given[0].detach().float().cpu()))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for portion in torch.split(images, PORTION):
                model(portion)
    finally:
        hook.remove()
        model.train(training)
    return torch.cat(seen).flatten(1)


def imagenet_network() -> nn.Module | None:
    """EfficientNet-Lite0 as ImageNet taught it, for colour pictures with values in [-1, 1]; None if not installed."""
    weights = pretrained(EFFICIENTNET_LITE0[0])
    if weights is None:
        return None
    half = (0.5, 0.5, 0.5)
    model = build(EFFICIENTNET_LITE0[0], IMAGENET_CLASSES, Preprocessing(SIZE, 3, half, half))
    model.load_state_dict(weights)
    return model
