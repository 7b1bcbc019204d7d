"""K-means (Lloyd 1982) with the starts of k-means++ (Arthur & Vassilvitskii 2007)."""

import torch
from torch import Tensor

ITERATIONS = 100


def k_means(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The cluster of each point (N, D), int64 (N,) below ``count``; some are empty where few points differ."""
    centres = _starts(points, count, generator)
    assigned = torch.cdist(points, centres).argmin(dim=1)
    for _ in range(ITERATIONS):
        members = torch.nn.functional.one_hot(assigned, len(centres)).to(points.dtype)
        sizes = members.sum(dim=0)[:, None]
        centres = torch.where(sizes > 0, (members.T @ points) / sizes.clamp(min=1), centres)
        before, assigned = assigned, torch.cdist(points, centres).argmin(dim=1)
        if torch.equal(before, assigned):
            break
    return assigned


def _starts(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Points drawn far from those drawn before; fewer than ``count`` where no others are left."""
    chosen = [points[int(torch.randint(len(points), (1,), generator=generator))]]
    while len(chosen) < count:
        distance = torch.cdist(points, torch.stack(chosen)).amin(dim=1).square()
        if not bool(distance.any()):
            break
        chosen.append(points[int(torch.multinomial(distance, 1, generator=generator))])
    return torch.stack(chosen)
