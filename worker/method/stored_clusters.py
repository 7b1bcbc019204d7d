"""Clusters as a picture of their numbers keeps them, back in the form that the method works on."""

import torch
from torch import Tensor

from worker.method.clustering import Clustering, evidence

# Added to every pixel's evidence, so that a cluster whose evidence was rounded to nothing lies where its pixels lie.
TRACE = 1e-12


def restored(numbers: Tensor, attribution: Tensor, share: Tensor, sharpening: float = 1.0) -> Clustering:
    """The clusters' moments, taken over their own pixels.

    numbers:     (B, H, W) integers: 0 is no cluster, j is cluster number j, at most J.
    attribution: (B, H, W), of any scale.
    share:       (B, J) of the positive evidence, as it was stored; 0 for a cluster that an image does not have.
    sharpening:  as the clusters were made.
    The mixture's own means and covariances reach over all pixels, these only over the cluster's, so that they are a
    little narrower. The log-likelihood is not kept with the clusters and is NaN.
    """
    components = torch.arange(1, share.shape[1] + 1, device=numbers.device)
    member = numbers[:, None] == components[:, None, None]  # (B, J, H, W)
    weights = member * (evidence(attribution, sharpening) + TRACE)[:, None]
    weights = weights / weights.sum(dim=(2, 3), keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    means, covariances = _moments(weights)
    return Clustering(
        means=means,
        covariances=covariances,
        share=share,
        assignment=(numbers - 1).to(torch.int8),
        log_likelihood=torch.full((len(numbers),), torch.nan),
    )


def _moments(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Means (B, J, 2) and covariances (B, J, 2, 2) of weights (B, J, H, W) that sum to 1; x then y, in [0, 1]."""
    height, width = weights.shape[-2:]
    x = (torch.arange(width, dtype=weights.dtype, device=weights.device) + 0.5) / width
    y = (torch.arange(height, dtype=weights.dtype, device=weights.device) + 0.5) / height
    by_column, by_row = weights.sum(dim=2), weights.sum(dim=3)
    means = torch.stack([by_column @ x, by_row @ y], dim=2)
    across, down = x - means[..., :1], y - means[..., 1:]  # (B, J, W), (B, J, H)
    # A pixel is as wide as it is: a cluster of one pixel has the spread of that pixel.
    xx = (by_column * across.square()).sum(dim=2) + 1 / (12 * width**2)
    yy = (by_row * down.square()).sum(dim=2) + 1 / (12 * height**2)
    xy = torch.einsum("bjhw,bjh,bjw->bj", weights, down, across)
    return means, torch.stack([xx, xy, xy, yy], dim=2).reshape(*xx.shape, 2, 2)
