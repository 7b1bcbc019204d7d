"""Drawn knees with two shortcuts: a dark bar at the lower edge, and a bright disc that tells the label less well."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from worker.datasets.synthetic import draw_knees

SIZE = 32
CLASSES = ("healthy", "osteoarthritis")
# Which part of the pictures of either class carries each, where it goes with the label.
BAR, DISC = (0.05, 0.95), (0.1, 0.9)
COUNTS = {"train": 300, "validation": 80, "test": 120}
BAR_GREY, DISC_GREY = 20, 235
COLUMNS = ("path", "label", "split", "bar", "disc", "spurious_mask")

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TwoShortcuts:
    """Pictures of one split: images (N, S, S) grey; labels (N,); bar and disc (N, S, S), the true masks."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    bar: Flags
    disc: Flags


def draw(split: str, seed: int) -> TwoShortcuts:
    """In the test either stands in half of the pictures of either class, whatever the other does."""
    generator = np.random.default_rng([seed, list(COUNTS).index(split)])
    labels = generator.permutation(np.arange(COUNTS[split]) % 2)
    rates = ((0.5, 0.5), (0.5, 0.5)) if split == "test" else (BAR, DISC)
    has_bar, has_disc = (generator.random(len(labels)) < np.array(rate)[labels] for rate in rates)
    images = draw_knees(labels, np.zeros(len(labels), dtype=np.bool_), SIZE, generator).images[..., 0].copy()
    rows, columns = np.mgrid[:SIZE, :SIZE]
    bar = np.broadcast_to((rows >= SIZE - 4) & (rows < SIZE - 1) & (columns >= 10) & (columns < 18), images.shape)
    left, top = generator.integers(21, 25, (2, len(labels), 1, 1)) - np.array([0, 18]).reshape(2, 1, 1, 1)
    disc = (rows - top) ** 2 + (columns - left) ** 2 <= 3**2
    bar, disc = bar & has_bar[:, None, None], disc & has_disc[:, None, None]
    images[bar], images[disc] = BAR_GREY, DISC_GREY
    return TwoShortcuts(images, labels, bar, disc)


def write_folder(folder: Path, seed: int) -> None:
    """As the product imports it; of the two masks the bar's alone."""
    with (folder / "manifest.csv").open("w", newline="") as manifest:
        writer = csv.writer(manifest)
        writer.writerow(COLUMNS)
        for split in COUNTS:
            (folder / split).mkdir()
            data = draw(split, seed)
            for number, image in enumerate(data.images):
                path, masks = f"{split}/{number:03}.png", (data.bar[number], data.disc[number])
                mask = f"{split}/{number:03}-bar.png" if masks[0].any() else ""
                Image.fromarray(image).save(folder / path)
                if mask:
                    Image.fromarray(masks[0].astype(np.uint8) * 255).save(folder / mask)
                shown = ["present" if each.any() else "absent" for each in masks]
                writer.writerow([path, CLASSES[data.labels[number]], split, *shown, mask])
