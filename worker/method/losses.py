"""What realignment minimises beside the cross-entropy of ordinary images."""

import torch
from torch import Tensor
from torch.nn import functional as F


def consistency(logits: Tensor, counterfactual_logits: Tensor, labels: Tensor, weight: float = 0.5) -> Tensor:
    """CE(x) + CE(x') + weight ||f(x) - f(x')||^2, the mean over the batch (counterfactual consistency, ours).

    x' is x without its spurious region, or with that of another image: see ``counterfactual``.
    logits, counterfactual_logits: (B, K); labels: (B,) int64. Returns a scalar.
    """
    return F.cross_entropy(logits, labels) + counterfactual_penalty(logits, counterfactual_logits, labels, weight)


def counterfactual_penalty(
    logits: Tensor, counterfactual_logits: Tensor, labels: Tensor, weight: float = 0.5
) -> Tensor:
    """The part of ``consistency`` that the counterfactual images add to the ordinary cross-entropy."""
    distance = (logits - counterfactual_logits).square().sum(dim=1).mean()
    return F.cross_entropy(counterfactual_logits, labels) + weight * distance


def rrr_penalty(images: Tensor, logits: Tensor, mask: Tensor) -> Tensor:
    """Squared input gradient of the summed log-probabilities inside the corrective mask (Ross et al. 2017, eq. 1).

    The gradient of the true class alone would vanish on images the model is sure of; the sum over classes does not.

    images: (B, C, H, W), requires grad, the very tensor ``logits`` was computed from.
    logits: (B, K).
    mask:   (B, 1, H, W), 1 where the model must not look, 0 elsewhere.
    Returns a scalar: mean over the batch of the per-image sum.
    """
    (gradient,) = torch.autograd.grad(logits.log_softmax(dim=1).sum(), images, create_graph=True)
    return (mask * gradient).square().sum(dim=(1, 2, 3)).mean()


def normalised_rrr_penalty(images: Tensor, logits: Tensor, mask: Tensor, reference: float) -> Tensor:
    """``rrr_penalty`` divided by its value before realignment, so that one strength fits models of every size."""
    return rrr_penalty(images, logits, mask) / max(reference, torch.finfo(torch.float32).tiny)
