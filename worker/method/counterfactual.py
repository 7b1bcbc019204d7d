"""The same image without its spurious region, with another one's, or with it elsewhere.

Used for training (``losses.consistency``) and for the settling test. Images are (B, C, H, W), masks (B, 1, H, W) with 1
on the spurious region and 0 elsewhere; an empty mask leaves an image as it is.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def fill(images: Tensor, mask: Tensor, donors: Tensor) -> Tensor:
    """Swap the masked region for what the donor shows there (CAIPI: Teso & Kersting 2019). donors: (B, C, H, W)."""
    return torch.where(mask > 0, donors, images)


def paste(images: Tensor, donors: Tensor, donor_masks: Tensor) -> Tensor:
    """Put the donor's spurious region on the image, at the place it has in the donor."""
    return fill(images, donor_masks, donors)


def inpaint(images: Tensor, mask: Tensor) -> Tensor:
    """Fill the masked region smoothly from its surroundings (push-pull, Gortler et al. 1996).

    Every level halves the image, averages the known pixels, and fills what is unknown from the level below.
    An image masked everywhere becomes zero, the mean of normalised images.
    """
    known = (mask == 0).to(images.dtype)
    if bool((known > 0).all()):
        return images
    if images.shape[-2:] == (1, 1):
        return images * known
    density = F.avg_pool2d(known, 2, ceil_mode=True)
    colour = F.avg_pool2d(images * known, 2, ceil_mode=True) / density.clamp(min=torch.finfo(density.dtype).tiny)
    below = inpaint(colour, (density == 0).to(images.dtype))
    smooth = F.interpolate(below, size=images.shape[-2:], mode="bilinear", align_corners=False)
    return torch.where(known > 0, images, smooth)


def remove(images: Tensor, mask: Tensor) -> Tensor:
    """The images without their spurious region."""
    return inpaint(images, mask)


def add(images: Tensor, donors: Tensor, donor_masks: Tensor) -> Tensor:
    """The images with a spurious region of another image besides."""
    return paste(images, donors, donor_masks)


def move(images: Tensor, mask: Tensor, donors: Tensor, donor_masks: Tensor) -> Tensor:
    """The images with a spurious region of another image instead of their own."""
    return paste(inpaint(images, mask), donors, donor_masks)


def donors_of_another_class(labels: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    """For every image, one of another class that has a spurious region, drawn at random.

    labels: (B,); mask: (B, 1, H, W). Returns (B,) int64 indices, -1 where there is none.
    """
    possible = (labels[:, None] != labels) & mask.flatten(1).any(dim=1)
    # The largest of equally distributed numbers is a uniform draw among the possible ones.
    luck = torch.rand(possible.shape, generator=generator).to(possible.device)
    drawn = luck.masked_fill(~possible, -1).argmax(dim=1)
    return drawn.masked_fill(~possible.any(dim=1), -1)
