"""The causal check of a cluster: what the answer becomes when the cluster is covered.

Attribution says where the evidence lies; this says what the model does without it (perturbation, Zeiler & Fergus 2014;
filled smoothly from the surroundings, because a grey patch would itself be something to see). It judges nothing: a
model may lean on what is relevant as well as on what is spurious.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.method.counterfactual import inpaint

# Covered images made and looked at at once, which bounds the memory.
COVERED_AT_ONCE = 64


@dataclass(frozen=True)
class CausalCheck:
    """The certainty of the label on B images, and how far covering each of J clusters lowers it.

    certainty: (B,) P(label), of the image as it is.
    fall:      (B, J) of P(label), in [-1, 1]; below 0 where covering raises it.
    odds_fall: (B, J) nats: of the margin, the label's logit less the log-sum-exp of the others', which is the logarithm
               of the label's odds. It still moves where P(label) is too close to 1 to.
    Both are 0 for a cluster without pixels.
    """

    certainty: Tensor
    fall: Tensor
    odds_fall: Tensor


def causal_check(
    predict: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, assignment: Tensor, components: int
) -> CausalCheck:
    """Cover every cluster of every image, one at a time, several in one batch.

    predict: (N, C, H, W) -> (N, K) logits, K at least 2, in evaluation mode. images: (B, C, H, W), normalised; labels:
    (B,) int64; assignment: (B, H, W) integer, 0..components-1 or -1. All on one device.
    Costs, for an image, one inpainting and one forward pass for each of its clusters, and one forward pass besides.
    """
    margin = margin_of(predict(images), labels)
    fall = images.new_zeros(len(images), components)
    odds_fall = torch.zeros_like(fall)
    numbers = torch.arange(components, device=assignment.device)
    there = (assignment[:, None] == numbers[:, None, None]).flatten(2).any(dim=2).nonzero()  # (covered, 2)
    for image, number in (portion.unbind(dim=1) for portion in torch.split(there, COVERED_AT_ONCE)):
        mask = (assignment[image] == number[:, None, None])[:, None]
        covered = margin_of(predict(inpaint(images[image], mask.to(images.dtype))), labels[image])
        odds_fall[image, number] = margin[image] - covered
        fall[image, number] = margin[image].sigmoid() - covered.sigmoid()
    return CausalCheck(margin.sigmoid(), fall, odds_fall)


def margin_of(logits: Tensor, labels: Tensor) -> Tensor:
    """The logarithm of the label's odds, log(P(label) / (1 - P(label))): (N, K) -> (N,)."""
    own = torch.zeros_like(logits, dtype=torch.bool).scatter(1, labels[:, None], value=True)
    others = logits.masked_fill(own, -torch.inf).logsumexp(dim=1)
    return logits.gather(1, labels[:, None])[:, 0] - others
