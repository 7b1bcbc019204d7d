"""The proof that a checkpoint's explanations add up, made once when it is registered."""

import copy

from torch import Tensor, nn

from worker.method.attribution import Choice, choose


def prove(model: nn.Module, images: Tensor, labels: Tensor, baselines: Tensor) -> Choice:
    """The attribution method that is complete on this checkpoint, and why (``worker.method.attribution.choose``).

    images: (B, C, H, W), labels: (B,), baselines: (R, C, H, W), of the project's own data set.
    Measured in double precision: the question is whether the method's rules hold on this architecture. In single
    precision, rounding alone exceeds 1e-4 wherever an image's logit happens to be near that of the baselines.
    """
    return choose(copy.deepcopy(model).double(), images.double(), labels, baselines.double())
