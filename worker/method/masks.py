"""From verdicts on clusters to the corrective mask, and how clusters lie on true masks (for measuring only)."""

import torch
from torch import Tensor

from worker.method.clustering import evidence


def corrective_mask(assignment: Tensor, spurious: Tensor) -> Tensor:
    """Union of the clusters judged spurious (A in Ross et al. 2017, eq. 1).

    assignment: (B, H, W) integer, 0..J-1 or -1; spurious: (B, J) bool. Returns (B, 1, H, W) float32, 1 where the model
    must not look.
    """
    # A last column that is never spurious stands for the pixels outside every cluster, whose index is -1.
    judged = torch.cat([spurious, spurious.new_zeros(len(spurious), 1)], dim=1)
    places = assignment.long().flatten(1) % judged.shape[1]
    return judged.gather(1, places).reshape(assignment.shape)[:, None].float()


def overlap(
    assignment: Tensor, attribution: Tensor, truth: Tensor, sharpening: float = 1.0, components: int | None = None
) -> Tensor:
    """Share of each cluster's positive evidence that lies on the true spurious mask. For measuring only.

    assignment: (B, H, W) integer; attribution: (B, H, W); truth: (B, H, W) bool; sharpening: as the clusters were made.
    Returns (B, J) in [0, 1], 0 for clusters without evidence; J is ``components``, or as many as the assignment uses.
    """
    count = components if components is not None else int(assignment.max()) + 1
    weights = evidence(attribution, sharpening)
    inside = assignment[:, None] == torch.arange(count, device=assignment.device)[:, None, None]  # (B, J, H, W)
    whole = (inside * weights[:, None]).sum(dim=(2, 3))
    on_truth = (inside * (weights * truth)[:, None]).sum(dim=(2, 3))
    return on_truth / whole.clamp(min=torch.finfo(whole.dtype).tiny)
