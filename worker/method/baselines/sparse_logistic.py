"""Logistic regression with an L1 penalty, for deep feature reweighting: many fits at once."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

ITERATIONS = 2000
# The weights have settled when none moves further than this in one iteration.
TOLERANCE = 1e-7


@dataclass(frozen=True)
class Logistic:
    """logits = x @ weights.T + bias. weights: (..., K, E) float64; bias: (..., K) float64."""

    weights: Tensor
    bias: Tensor

    def mean(self) -> "Logistic":
        """The mean over the first dimension."""
        return Logistic(self.weights.mean(dim=0), self.bias.mean(dim=0))

    def predict(self, features: Tensor) -> Tensor:
        """The likeliest class of each of (N, E), int64 (N,), by one fit."""
        return (features @ self.weights.T + self.bias).argmax(dim=1)


def fit_logistic(features: Tensor, labels: Tensor, classes: int, inverse_penalty: float) -> Logistic:
    """Minimise sum of -log softmax + |weights| / C, the bias being free. By FISTA (Beck & Teboulle 2009).

    features: (S, N, E) float64, S fits; labels: (S, N) int64 below ``classes``; inverse_penalty: C, as in scikit-learn.
    """
    x = torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)
    wanted = F.one_hot(labels, classes).to(x.dtype)
    # The curvature of the softmax is at most 1/2.
    step = 2 / torch.linalg.matrix_norm(x, 2).square()[:, None, None]
    threshold = (step / inverse_penalty).expand(-1, 1, x.shape[-1]).clone()
    threshold[..., -1] = 0
    now = ahead = x.new_zeros(len(x), classes, x.shape[-1])
    momentum = 1.0
    for _ in range(ITERATIONS):
        gradient = ((x @ ahead.mT).softmax(dim=-1) - wanted).mT @ x
        moved = ahead - step * gradient
        after = moved.sign() * (moved.abs() - threshold).clamp(min=0)
        grown = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = after + (momentum - 1) / grown * (after - now)
        settled = bool((after - now).abs().max() < TOLERANCE)
        now, momentum = after, grown
        if settled:
            break
    return Logistic(now[..., :-1], now[..., -1])
