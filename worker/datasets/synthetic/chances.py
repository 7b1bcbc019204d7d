"""Draws that read as what they decide."""

from collections.abc import Mapping

import numpy as np


def happens(generator: np.random.Generator, probability: float) -> bool:
    return bool(generator.random() < probability)


def pick(generator: np.random.Generator, weights: Mapping[str, float]) -> str:
    """One of the names, each as likely as its share of the weights' sum."""
    bounds = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(bounds, generator.uniform(0, bounds[-1]), side="right"))]
