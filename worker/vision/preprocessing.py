"""From a picture file to the tensor a model sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from worker.vision.pictures import MAX_PIXELS, load_image, to_8_bit


@dataclass(frozen=True)
class Preprocessing:
    """What a checkpoint expects: ``size`` x ``size`` pixels in [0, 1], minus ``mean``, divided by ``std``."""

    size: int
    channels: Literal[1, 3]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"The input size must be at least 1, not {self.size}.")
        if self.channels not in {1, 3}:
            raise ValueError(f"A model sees 1 channel (grey) or 3 (colour), not {self.channels}.")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise ValueError(f"{name} has {len(values)} values for {self.channels} channels.")
        if min(self.std) <= 0:
            raise ValueError("Every std must be above zero.")


def to_tensor(images: Sequence[bytes | Image.Image], pre: Preprocessing, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Pictures as (B, C, S, S) float32, normalised; ``max_pixels`` is the most that a stored one may have.

    The whole picture is resized, even if that changes its proportions: a shortcut often stands at the border, where
    cropping would hide it from the explanation. Raises ImageError.
    """
    mean, std = (torch.tensor(value).view(-1, 1, 1) for value in (pre.mean, pre.std))
    values = torch.empty(len(images), pre.channels, pre.size, pre.size)
    for place, image in zip(values, images, strict=True):  # one by one: a copy of all would take as much memory again
        pixels = torch.from_numpy(_pixels(image, pre, max_pixels)).view(pre.size, pre.size, pre.channels)
        place.copy_(pixels.permute(2, 0, 1)).div_(255).sub_(mean).div_(std)
    return values


def to_pixels(images: Tensor, pre: Preprocessing) -> Tensor:
    """The way back: (B, C, S, S) normalised to uint8 (B, S, S, C), for showing what the model saw."""
    mean, std = (torch.tensor(value, device=images.device).view(1, -1, 1, 1) for value in (pre.mean, pre.std))
    return (images * std + mean).mul(255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def mask_to_tensor(data: bytes, size: int, max_pixels: int = MAX_PIXELS) -> Tensor:
    """A mask picture (white where the object is) as bool (S, S): true where at least half of the pixel is covered."""
    mask = load_image(data, max_pixels).convert("L").resize((size, size), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(mask) >= 128)  # noqa: PLR2004 - half of 255


def _pixels(
    image: bytes | Image.Image, pre: Preprocessing, max_pixels: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = to_8_bit(image) if isinstance(image, Image.Image) else load_image(image, max_pixels)
    picture = picture.convert("L" if pre.channels == 1 else "RGB")
    if picture.size != (pre.size, pre.size):
        picture = picture.resize((pre.size, pre.size), Image.Resampling.BILINEAR)
    return np.array(picture)
