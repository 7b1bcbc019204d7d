"""The alignment set: the training images that are chosen for critique."""

from typing import Literal

import torch
from torch import Tensor

Strategy = Literal["low_entropy", "low_entropy_per_class", "random", "high_entropy"]


def entropy(logits: Tensor) -> Tensor:
    """Shannon entropy of the softmax output, in nats.

    logits: (N, K). Returns (N,), between 0 and log K.
    """
    log_probabilities = logits.log_softmax(dim=1)
    return -(log_probabilities.exp() * log_probabilities).sum(dim=1)


def alignment_set(logits: Tensor, labels: Tensor, count: int, strategy: Strategy, seed: int) -> Tensor:
    """Indices of the images to criticise, in order of choice (LVLM-VA, alignment data).

    The paper takes the images of lowest output entropy: a shortcut is easy, so the model is surest where it uses one.
    Classes a model finds easy then crowd out the others, which ``low_entropy_per_class`` prevents: it gives every
    class the same number, as far as its images reach. ``high_entropy`` is there to report the contrast.
    Equal entropies keep the order of the images, so the same logits always give the same set.

    logits: (N, K); labels: (N,) int64; count: at most N are returned; seed: for ``random`` only.
    Returns (min(count, N),) int64.
    """
    surest_first = entropy(logits).argsort(stable=True)
    if strategy == "low_entropy":
        return surest_first[:count]
    if strategy == "high_entropy":
        return entropy(logits).argsort(descending=True, stable=True)[:count]
    if strategy == "random":
        generator = torch.Generator().manual_seed(seed)
        return torch.randperm(len(logits), generator=generator)[:count].to(logits.device)
    turn = _turn_within_class(labels[surest_first])
    return surest_first[turn.argsort(stable=True)[:count]]


def _turn_within_class(labels: Tensor) -> Tensor:
    """How many earlier images have the same label: (N,) -> (N,)."""
    same = torch.nn.functional.one_hot(labels)
    return same.cumsum(dim=0).gather(1, labels[:, None])[:, 0] - 1
