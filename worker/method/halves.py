"""One attribution from two halves of the baselines: how far they agree says what is due to the choice of baselines."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.method.attribution import Method, attribute


@dataclass(frozen=True)
class Halves:
    """Attributions of the same images, each (B, H, W): from all baselines, from every other one, and from the rest."""

    whole: Tensor
    first: Tensor
    second: Tensor

    def take(self, images: Tensor) -> "Halves":
        return Halves(self.whole[images], self.first[images], self.second[images])


def in_halves(model: nn.Module, images: Tensor, labels: Tensor, baselines: Tensor, method: Method) -> Halves:
    """As ``attribute``, at its cost: an attribution is a mean over the baselines, so the halves give the whole.

    Every other baseline is in the first half. With a single baseline both halves are the whole.
    """
    sides = [baselines[::2], baselines[1::2] if len(baselines) > 1 else baselines]
    first, second = (attribute(model, images, labels, side, method) for side in sides)
    weight = len(sides[0]) / (len(sides[0]) + len(sides[1]))
    return Halves(torch.lerp(second, first, weight), first, second)
