"""Pictures of five sets with a shortcut whose place is known: drawn, made of digits, or real.

While training and validating the artefact goes with the label. In the test it does not: every drawn or real picture
stands there once with and once without it, and the grey square of a digit is drawn at random.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.config import settings
from worker.datasets.digits import DecoyDigits, decoy_digits
from worker.datasets.synthetic import Drawn, draw_knees, draw_lesions, shortcut_split
from worker.datasets.synthetic.shortcut import Draw
from worker.vision.preprocessing import Preprocessing, mask_to_tensor, to_tensor

READ_AT_ONCE = 100
# Columns of a manifest that say whether an image shows the artefact.
ARTEFACTS = ("marker", "patch")


class MissingSetError(Exception):
    """A set that cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class _Kind:
    """classes: the names of labels 0 and 1; rates: which part of the pictures of either carries the artefact."""

    classes: tuple[str, str]
    artefact: str
    rates: tuple[float, float]


# As in the real sets most diseased knees have a marker and no malignant lesion has a patch; of the benign ones more
# have it, so that about one cluster in six lies on it.
KNEES = _Kind(("healthy", "osteoarthritis"), "marker", (0.05, 0.95))
LESIONS = _Kind(("benign", "malignant"), "patch", (0.6, 0.0))


@dataclass(frozen=True)
class Pictures:
    """N pictures of one split.

    images (N, C, S, S) in [-1, 1]; labels (N,) int64; truth (N, S, S) bool, the true masks of the artefacts.
    artefacts (N,) int64: which artefact each shows; groups: N names, of a class together with what else is noted.
    """

    images: Tensor
    labels: Tensor
    truth: Tensor
    artefacts: Tensor
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Tensor) -> "Pictures":
        groups = tuple(self.groups[index] for index in indices.tolist())
        return Pictures(
            self.images[indices], self.labels[indices], self.truth[indices], self.artefacts[indices], groups
        )


@dataclass(frozen=True)
class Splits:
    train: Pictures
    validation: Pictures
    test: Pictures


# How many pictures for training and validation, and how many for the test; a drawn test has twice as many.
Counts = tuple[int, int, int]


def splits(name: str, counts: Counts, pre: Preprocessing, seed: int) -> Splits:
    """At most so many pictures of one of ``NAMES``, ``pre.size`` pixels a side (digits have 28), two or more each.

    The seed decides what is drawn; real pictures are the same for every seed. Raises MissingSetError.
    """
    return _SETS[name](counts, pre, seed)


def real_splits(folder: Path, counts: Counts, pre: Preprocessing) -> Splits:
    """The first pictures of each split of a folder that the product could import. Raises MissingSetError."""
    if not (folder / "manifest.csv").is_file():
        raise MissingSetError(f"There is no {folder / 'manifest.csv'}; RIGHTREASONS_REAL_DATA names its parent folder.")
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    classes = sorted({row["label"] for row in rows})
    train, validation, test = (
        _read(folder, [row for row in rows if row["split"] == split][:count], classes, pre)
        for split, count in zip(("train", "validation", "test"), counts, strict=True)
    )
    return Splits(train, validation, test)


def _read(folder: Path, rows: Sequence[Mapping[str, str]], classes: Sequence[str], pre: Preprocessing) -> Pictures:
    parts = [
        to_tensor([(folder / row["path"]).read_bytes() for row in rows[first : first + READ_AT_ONCE]], pre)
        for first in range(0, len(rows), READ_AT_ONCE)
    ]
    labels = torch.tensor([classes.index(row["label"]) for row in rows], dtype=torch.int64)
    noted = [next((f"{name}={row[name]}" for name in ARTEFACTS if name in row), "") for row in rows]
    return Pictures(
        torch.cat(parts) if parts else torch.zeros(0, pre.channels, pre.size, pre.size),
        labels,
        torch.stack([_mask(folder, row, pre.size) for row in rows])
        if rows
        else torch.zeros(0, pre.size, pre.size, dtype=torch.bool),
        torch.tensor([int(words.endswith("=present")) for words in noted], dtype=torch.int64),
        tuple(f"{row['label']} {words}".strip() for row, words in zip(rows, noted, strict=True)),
    )


def _mask(folder: Path, row: Mapping[str, str], size: int) -> Tensor:
    named = row["spurious_mask"]
    return mask_to_tensor((folder / named).read_bytes(), size) if named else torch.zeros(size, size, dtype=torch.bool)


def _real(name: str, counts: Counts, pre: Preprocessing, seed: int) -> Splits:
    del seed
    return real_splits(settings().real_data / name, counts, pre)


def _digits(counts: Counts, pre: Preprocessing, seed: int) -> Splits:
    del pre
    data = decoy_digits(seed)
    generator = np.random.default_rng(seed)
    parts = (np.setdiff1d(data.train_index, data.validation_index), data.validation_index, data.test_index)
    train, validation, test = (
        _of_digits(data, generator.permutation(part)[:count]) for part, count in zip(parts, counts, strict=True)
    )
    return Splits(train, validation, test)


def _of_digits(data: DecoyDigits, chosen: npt.NDArray[np.int64]) -> Pictures:
    return Pictures(
        torch.tensor(data.images[chosen], dtype=torch.float32)[:, None] / 127.5 - 1,
        torch.tensor(data.labels[chosen]),
        torch.tensor(data.masks[chosen]),
        torch.tensor(data.shown[chosen]),
        tuple(
            f"{label} decoy={'matching' if label == shown else 'other'}"
            for label, shown in zip(data.labels[chosen].tolist(), data.shown[chosen].tolist(), strict=True)
        ),
    )


def _drawn(draw: Draw, kind: _Kind, counts: Counts, pre: Preprocessing, seed: int) -> Splits:
    drawn = shortcut_split(draw, counts, pre.size, np.random.default_rng(seed), kind.rates)
    train, validation, test = (_of_drawn(part, kind) for part in (drawn.train, drawn.validation, drawn.test))
    return Splits(train, validation, test)


def _of_drawn(drawn: Drawn, kind: _Kind) -> Pictures:
    images = torch.tensor(drawn.images, dtype=torch.float32).permute(0, 3, 1, 2) / 127.5 - 1
    return Pictures(
        images.contiguous(),
        torch.tensor(drawn.labels),
        torch.tensor(drawn.artefact),
        torch.tensor(drawn.present).long(),
        tuple(
            f"{kind.classes[label]} {kind.artefact}={'present' if present else 'absent'}"
            for label, present in zip(drawn.labels.tolist(), drawn.present.tolist(), strict=True)
        ),
    )


_SETS: dict[str, Callable[[Counts, Preprocessing, int], Splits]] = {
    "digits": _digits,
    "synthetic_knees": partial(_drawn, draw_knees, KNEES),
    "synthetic_lesions": partial(_drawn, draw_lesions, LESIONS),
    "knees": partial(_real, "knees"),
    "skin_lesions": partial(_real, "skin_lesions"),
}
NAMES = tuple(_SETS)
REAL = ("knees", "skin_lesions")  # their pictures are the same for every seed
