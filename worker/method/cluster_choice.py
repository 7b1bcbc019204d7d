"""How sharply, how tightly and into how many clusters an analysis should cut, chosen without true masks.

Every candidate is asked on a sample of the images how far the answer moves while its clusters are covered one after
the other, for the area that is covered by then (effect). That decides. Beside it stand whether it cuts alike when the
attributions come from other baselines (stability), and how much of the evidence its clusters carry (share): both are
highest for few wide clusters, and on drawn knees and on digits, whose artefacts are known, they ranked the settings
first that lose them. The one cluster that moves the answer most for its area, which decided before, is a sharp peak
even where the model looks at something broad: it chose cuts that lose the large patches of real lesions.

A person has to ask for it: on real knees its choice puts a cluster on many more of the markers than the settings that
are taken otherwise, on real lesions on somewhat fewer of the patches (``rightreasons benchmark artefacts``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from torch import Tensor

from worker.method.causal_check import margin_of
from worker.method.clustering import Clustering, cluster, evidence, with_support
from worker.method.counterfactual import inpaint
from worker.method.halves import Halves

SHARPENINGS, SUPPORTS, COMPONENTS = (1.0, 2.0, 3.0), (0.8, 0.95, 1.0), (3, 4, 5, 6)
# Mixtures are fitted on maps pooled to about this many pixels a side: settings are compared here, not outlines.
SIDE = 56
# Of the area, so much is covered at most: what a model looks at is not half of a picture.
MOST_COVERED, MEASURED_AT = 0.4, 41
TINY = 1e-9


@dataclass(frozen=True)
class Setting:
    """As ``clustering.cluster`` takes them."""

    sharpening: float
    support: float
    components: int


@dataclass(frozen=True)
class Candidate:
    """A setting and its means over the sample, each in [0, 1]. The effect decides.

    stability: overlap (intersection over union) of each cluster with its best match from the other half of the
               baselines, weighted by the clusters' shares.
    share:     of the positive evidence, unsharpened, inside the clusters.
    effect:    fall of the label's log-odds while the clusters are covered one after the other, densest evidence first:
               its mean over the first ``MOST_COVERED`` of the area, as a part of the largest that any candidate reaches
               on that image. Known as pixel flipping (Samek et al. 2017) and as the deletion metric (Petsiuk et al.
               2018), there of pixels. It is high where the cut parts what the model needs from what it does not.
               Log-odds, because the images of an alignment set are those that the model is surest of: their
               probabilities hardly move before most of the evidence is gone.
    """

    setting: Setting
    stability: float
    share: float
    effect: float


@dataclass(frozen=True)
class _Fitted:
    """The same mixture settings fitted to an attribution from all baselines, and to one from each half."""

    whole: Clustering
    first: Clustering
    second: Clustering


def settings(
    sharpening: float | None = None, support: float | None = None, components: int | None = None
) -> list[Setting]:
    """The grid of candidates; what is given is not varied."""
    grid = product(
        SHARPENINGS if sharpening is None else (sharpening,),
        SUPPORTS if support is None else (support,),
        COMPONENTS if components is None else (components,),
    )
    return [Setting(*each) for each in grid]


def compare_settings(
    predict: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, halves: Halves, grid: Sequence[Setting]
) -> list[Candidate]:
    """Every candidate with its figures, the largest effect first; of equal ones the first in the grid.

    predict: (N, C, H, W) -> (N, K) logits; images: (B, C, H, W); labels: (B,); halves: attributions (B, H, W).
    Needs no true masks. Fits a mixture to each image three times for every sharpening and J, and covers each image J
    times for every candidate, which costs most.
    """
    measured, gains = [], []
    fitted = {(each.sharpening, each.components): _fitted(halves, each) for each in grid}
    for setting in grid:
        fits = fitted[setting.sharpening, setting.components]
        whole, first, second = (
            with_support(getattr(fits, side), getattr(halves, side), setting.sharpening, setting.support)
            for side in ("whole", "first", "second")
        )
        inside = members(whole.assignment, setting.components)
        shares = (evidence(halves.whole)[:, None] * inside).sum(dim=(2, 3))
        stability = agreement(first, second, setting.components)
        measured.append(Candidate(setting, stability.mean().item(), shares.sum(dim=1).mean().item(), effect=0.0))
        gains.append(deletion(predict, images, labels, inside, shares))
    gained = torch.stack(gains)  # (candidates, B)
    effects = (gained / gained.amax(dim=0).clamp(min=TINY)).mean(dim=1)
    found = [replace(each, effect=effect) for each, effect in zip(measured, effects.tolist(), strict=True)]
    return sorted(found, key=lambda each: -each.effect)


def deletion(
    predict: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, inside: Tensor, shares: Tensor
) -> Tensor:
    """Mean fall of the label's log-odds over the first ``MOST_COVERED`` of the area: (B,) nats, at least 0.

    inside: (B, J, H, W) bool, the clusters, which are covered one after the other, those first that have most of the
    evidence for their area; shares: (B, J) of the evidence in each. Between two clusters the fall is taken to be even.
    """
    size = inside.float().mean(dim=(2, 3))
    order = (shares / size.clamp(min=TINY)).argsort(dim=1, descending=True)
    before, rows = margin_of(predict(images), labels), torch.arange(len(images), device=inside.device)
    covered, falls, areas = torch.zeros_like(inside[:, 0]), [torch.zeros_like(before)], [size.new_zeros(len(images))]
    for number in order.unbind(dim=1):
        covered |= inside[rows, number]
        after = margin_of(predict(inpaint(images, covered[:, None].to(images.dtype))), labels)
        falls.append((before - after).clamp(min=0))
        areas.append(covered.float().mean(dim=(1, 2)))
    at = np.linspace(0, MOST_COVERED, MEASURED_AT)
    curves = zip(torch.stack(areas, dim=1).tolist(), torch.stack(falls, dim=1).tolist(), strict=True)
    return torch.tensor([np.interp(at, area, fall).mean() for area, fall in curves])


def _fitted(halves: Halves, setting: Setting) -> _Fitted:
    pool = max(1, min(halves.whole.shape[1:]) // SIDE)
    return _Fitted(
        *(
            cluster(phi, setting.components, setting.sharpening, pool=pool)
            for phi in (halves.whole, halves.first, halves.second)
        )
    )


def members(assignment: Tensor, components: int) -> Tensor:
    """(B, H, W) -> (B, J, H, W) bool."""
    numbers = torch.arange(components, device=assignment.device)
    return assignment[:, None] == numbers[:, None, None]


def agreement(first: Clustering, second: Clustering, components: int) -> Tensor:
    """Overlap of each cluster with its best match in the other clustering, weighted by the shares: (B,) in [0, 1]."""
    one, other = (members(each.assignment, components).flatten(2).float() for each in (first, second))  # (B, J, P)
    both = one @ other.transpose(1, 2)
    either = one.sum(dim=2)[:, :, None] + other.sum(dim=2)[:, None] - both
    overlap = both / either.clamp(min=1)
    return ((overlap.amax(dim=2) * first.share).sum(dim=1) + (overlap.amax(dim=1) * second.share).sum(dim=1)) / 2
