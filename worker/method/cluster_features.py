"""What a cluster looks like, in numbers, so that clusters of different images can be compared (for ``consensus``).

Everything is weighted by the evidence inside the cluster, so that a cluster whose pixels reach far but whose evidence
sits on one small object is described by that object.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from worker.method.clustering import Clustering, evidence

SHAPE_FEATURES = (
    "x",
    "y",
    "from_vertical_middle",
    "from_horizontal_middle",
    "from_centre",
    "from_edge",
    "from_corner",
    "log_length",
    "log_width",
    "log_elongation",
    "log_area",
    "log_share",
    "log_density",
)
# Each map of the picture gives five: mean, spread and largest value under the cluster, and the mean's difference to the
# surroundings and to the whole picture.
MAPS = ("brightness", "edges", "first_channel", "second_channel", "third_channel", "colourfulness")
STATISTICS = ("mean", "deviation", "largest", "beyond_surroundings", "beyond_picture")
FEATURES = SHAPE_FEATURES + tuple(f"{name}_{statistic}" for name in MAPS for statistic in STATISTICS)
# Surroundings reach this many standard deviations of the cluster, and at least this many pixels, beyond its middle.
REACH, LEAST_PIXELS = 3.0, 2.0
# A pixel counts for the largest value when its evidence is at least this part of the cluster's strongest pixel.
STRONG = 0.1
# A crop shows this many standard deviations around the middle, plus a margin, in widths of the image.
CROP_REACH, CROP_MARGIN, LEAST_CROP = 2.0, 0.04, 0.08


@dataclass(frozen=True)
class _Weighted:
    """Evidence inside each cluster (B, J, H, W), summing to 1, and its surroundings likewise."""

    inside: Tensor
    around: Tensor


def cluster_features(images: Tensor, attribution: Tensor, clustering: Clustering, sharpening: float = 1.0) -> Tensor:
    """Place, spread, size, evidence, brightness and colour of every cluster.

    images: (B, C, H, W) with C 1 or 3, normalised in any way, the same for the whole run.
    attribution: (B, H, W); sharpening: as the clusters were made.
    Returns (B, J, F) float32, F as in ``FEATURES``; a grey picture's colours are zero. A cluster without pixels has
    numbers that mean nothing: leave it out.
    """
    inside = _inside(clustering, evidence(attribution, sharpening))
    weighted = _Weighted(inside, _around(clustering, inside.shape[-2:]))
    statistics = [_statistics(picture, weighted) for picture in _maps(images.float())]
    return torch.cat([_shape(clustering), *statistics], dim=2)


def crops(images: Tensor, clustering: Clustering, size: int) -> Tensor:
    """Each cluster's part of the picture, enlarged to ``size`` pixels a side, for a network to describe.

    images: (B, C, H, W). Returns (B, J, C, size, size); beyond the edge the picture's last pixels are repeated.
    """
    count, components = clustering.share.shape
    deviation = clustering.covariances.diagonal(dim1=2, dim2=3).clamp(min=0).sqrt().amax(dim=2)  # (B, J)
    half = (CROP_REACH * deviation + CROP_MARGIN).clamp(LEAST_CROP, 0.5).flatten()
    # Places are in [0, 1] here and in [-1, 1] for torch.
    move = torch.zeros(count * components, 2, 3, dtype=images.dtype, device=images.device)
    move[:, 0, 0] = move[:, 1, 1] = 2 * half
    move[:, :, 2] = 2 * clustering.means.flatten(0, 1) - 1
    shape = (len(move), images.shape[1], size, size)
    grid = F.affine_grid(move, list(shape), align_corners=False)
    whole = images.repeat_interleave(components, dim=0)
    cut = F.grid_sample(whole, grid, padding_mode="border", align_corners=False)
    return cut.reshape(count, components, *shape[1:])


def _inside(clustering: Clustering, weights: Tensor) -> Tensor:
    """(B, H, W) -> (B, J, H, W)."""
    components = torch.arange(clustering.share.shape[1], device=weights.device)
    member = clustering.assignment[:, None] == components[:, None, None]
    return _normalised(member * weights[:, None])


def _around(clustering: Clustering, size: torch.Size) -> Tensor:
    """The box of ``REACH`` standard deviations around each cluster's middle, every pixel alike: (B, J, H, W)."""
    height, width = size
    deviation = clustering.covariances.diagonal(dim1=2, dim2=3).clamp(min=0).sqrt()  # (B, J, 2)
    columns, rows = (
        (_centres(length, deviation) - clustering.means[..., axis, None]).abs()
        <= REACH * deviation[..., axis, None] + LEAST_PIXELS / length
        for axis, length in ((0, width), (1, height))
    )
    return _normalised((rows[..., :, None] & columns[..., None, :]).float())


def _centres(length: int, like: Tensor) -> Tensor:
    return (torch.arange(length, dtype=like.dtype, device=like.device) + 0.5) / length


def _normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(dim=(2, 3), keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)


def _shape(clustering: Clustering) -> Tensor:
    """``SHAPE_FEATURES``: (B, J, 13)."""
    x, y = clustering.means.unbind(dim=2)
    right, down = (x - 0.5).abs(), (y - 0.5).abs()
    width, length = torch.linalg.eigvalsh(clustering.covariances).clamp(min=1e-8).sqrt().log().unbind(dim=2)
    components = torch.arange(x.shape[1], device=x.device)
    area = (clustering.assignment[:, None] == components[:, None, None]).float().mean(dim=(2, 3)) + 1e-4
    share = clustering.share.clamp(min=1e-3)
    parts = (
        x,
        y,
        right,
        down,
        torch.hypot(right, down),
        0.5 - torch.maximum(right, down),
        torch.hypot(0.5 - right, 0.5 - down),
        length,
        width,
        length - width,
        area.log(),
        share.log(),
        (share / area).log(),
    )
    return torch.stack(parts, dim=2).float()


def _maps(images: Tensor) -> list[Tensor]:
    """``MAPS``, each (B, H, W)."""
    colour = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
    brightness = colour.mean(dim=1)
    across = F.pad((brightness[:, :, 1:] - brightness[:, :, :-1]).abs(), (0, 1))
    down = F.pad((brightness[:, 1:] - brightness[:, :-1]).abs(), (0, 0, 0, 1))
    tints = [colour[:, channel] - brightness for channel in range(3)]
    return [brightness, across + down, *tints, colour.amax(dim=1) - colour.amin(dim=1)]


def _statistics(picture: Tensor, weighted: _Weighted) -> Tensor:
    """``STATISTICS`` of one map (B, H, W): (B, J, 5)."""
    values = picture[:, None]
    mean = (weighted.inside * values).sum(dim=(2, 3))
    variance = (weighted.inside * values.square()).sum(dim=(2, 3)) - mean.square()
    weak = weighted.inside < STRONG * weighted.inside.amax(dim=(2, 3), keepdim=True)
    largest = values.masked_fill(weak, -torch.inf).amax(dim=(2, 3))
    around = (weighted.around * values).sum(dim=(2, 3))
    whole = picture.mean(dim=(1, 2))[:, None]
    return torch.stack([mean, variance.clamp(min=0).sqrt(), largest, mean - around, mean - whole], dim=2)
