"""Training pictures of five sets with a shortcut whose place is known: drawn, made of digits, or real."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from app.config import settings
from worker.datasets.digits import decoy_digits
from worker.datasets.synthetic import draw_knees, draw_lesions, shortcut_split
from worker.datasets.synthetic.shortcut import Draw
from worker.vision.preprocessing import Preprocessing, mask_to_tensor, to_tensor

# Which part of the pictures of either label carries the artefact. As in the real sets most diseased knees have a marker
# and no malignant lesion has a patch; of the benign ones more have it, so that about one cluster in six lies on it.
KNEE_RATES, LESION_RATES = (0.05, 0.95), (0.6, 0.0)
READ_AT_ONCE = 100


class MissingSetError(Exception):
    """A set that cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class Pictures:
    """N pictures to learn from: images (N, C, S, S) in [-1, 1], labels (N,) int64, true masks (N, S, S) bool."""

    images: Tensor
    labels: Tensor
    truth: Tensor


def pictures(name: str, count: int, pre: Preprocessing, seed: int) -> Pictures:
    """At most ``count`` training pictures of one of ``NAMES``, ``pre.size`` pixels a side (digits have 28).

    The seed decides what is drawn; real pictures are the same for every seed. Raises MissingSetError.
    """
    return _SETS[name](count, pre, seed)


def real_pictures(folder: Path, count: int, pre: Preprocessing) -> Pictures:
    """The first ``count`` training pictures of a folder that the product could import. Raises MissingSetError."""
    if not (folder / "manifest.csv").is_file():
        raise MissingSetError(f"There is no {folder / 'manifest.csv'}; RIGHTREASONS_REAL_DATA names its parent folder.")
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    classes = sorted({row["label"] for row in rows})
    rows = rows[:count]
    parts = [
        to_tensor([(folder / row["path"]).read_bytes() for row in rows[first : first + READ_AT_ONCE]], pre)
        for first in range(0, len(rows), READ_AT_ONCE)
    ]
    labels = torch.tensor([classes.index(row["label"]) for row in rows])
    return Pictures(torch.cat(parts), labels, torch.stack([_mask(folder, row, pre.size) for row in rows]))


def _mask(folder: Path, row: Mapping[str, str], size: int) -> Tensor:
    named = row["spurious_mask"]
    return mask_to_tensor((folder / named).read_bytes(), size) if named else torch.zeros(size, size, dtype=torch.bool)


def _real(name: str, count: int, pre: Preprocessing, seed: int) -> Pictures:
    del seed
    return real_pictures(settings().real_data / name, count, pre)


def _digits(count: int, pre: Preprocessing, seed: int) -> Pictures:
    del pre
    data = decoy_digits(seed)
    chosen = np.random.default_rng(seed).permutation(data.train_index)[:count]
    images = torch.tensor(data.images[chosen], dtype=torch.float32)[:, None] / 127.5 - 1
    return Pictures(images, torch.tensor(data.labels[chosen]), torch.tensor(data.masks[chosen]))


def _drawn(draw: Draw, rates: tuple[float, float], count: int, pre: Preprocessing, seed: int) -> Pictures:
    drawn = shortcut_split(draw, (count, 2, 2), pre.size, np.random.default_rng(seed), rates).train
    images = torch.tensor(drawn.images, dtype=torch.float32).permute(0, 3, 1, 2) / 127.5 - 1
    return Pictures(images.contiguous(), torch.tensor(drawn.labels), torch.tensor(drawn.artefact))


_SETS: dict[str, Callable[[int, Preprocessing, int], Pictures]] = {
    "digits": _digits,
    "synthetic_knees": partial(_drawn, draw_knees, KNEE_RATES),
    "synthetic_lesions": partial(_drawn, draw_lesions, LESION_RATES),
    "knees": partial(_real, "knees"),
    "skin_lesions": partial(_real, "skin_lesions"),
}
NAMES = tuple(_SETS)
REAL = ("knees", "skin_lesions")  # their pictures are the same for every seed
