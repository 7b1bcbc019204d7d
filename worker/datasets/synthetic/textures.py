"""Noise and soft ramps. Noise is drawn on a grid of its own, so that its seed means the same picture at every size."""

from functools import lru_cache

import numpy as np
from PIL import Image

from worker.datasets.synthetic.shapes import Grey


def noise(generator: np.random.Generator, rows: int, columns: int, size: int) -> Grey:
    """(S, S): standard normal numbers on a grid of rows x columns, stretched over the picture.

    Few rows and many columns give upright streaks. A grid finer than the picture is averaged, and so becomes fainter,
    as the grain of a photograph does.
    """
    grid = generator.standard_normal((rows, columns), dtype=np.float32)
    return enlarged(grid, size)


def enlarged(small: Grey, size: int) -> Grey:
    """(S, S): a small picture stretched, and so made soft."""
    return np.asarray(Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC))


def smoothstep(low: float, high: float, values: Grey) -> Grey:
    """0 up to ``low``, 1 from ``high`` on, smooth in between; downwards when ``low`` is the greater one."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


@lru_cache(maxsize=8)
def mesh(size: int) -> tuple[Grey, Grey]:
    """Across (1, S) and down (S, 1): the pixels' middles, from 0 to 1."""
    middles = np.asarray((np.arange(size) + 0.5) / size, dtype=np.float32)
    return middles[None, :], middles[:, None]
