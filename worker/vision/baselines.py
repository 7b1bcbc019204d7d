"""The pictures an explanation compares with.

DeepLIFT SHAP and expected gradients ask: what in this image speaks for its label, compared with an image of the data
set? So the baselines are images of the data set (Lundberg & Lee 2017; Erion et al. 2021). A black or blurred picture
would be cheaper, but a model never saw one, its output there is arbitrary, and what happens to look like the baseline
(black background, a dark marker) could never get any evidence.
"""

import torch
from torch import Tensor


def baselines(images: Tensor, count: int, seed: int) -> Tensor:
    """``count`` of the training images, drawn without replacement, the same for every shard of a run.

    images: (N, C, H, W). Returns (min(count, N), C, H, W), in the order they have in ``images``.
    Raises ValueError when there are no images or count is not positive.
    """
    if not len(images) or count < 1:
        raise ValueError(f"Cannot draw {count} baselines from {len(images)} images.")
    return images[baseline_index(len(images), count, seed)]


def baseline_index(images: int, count: int, seed: int) -> Tensor:
    """Which images those are, int64 (min(count, images),), ascending: for callers that load only these from disk."""
    drawn = torch.randperm(images, generator=torch.Generator().manual_seed(seed))[:count]
    return drawn.sort().values
