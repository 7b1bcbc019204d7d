"""Pictures to measure the embedded LVLM on: none of them is drawn while it learns, and no network is that of a lesson.

Real digits with a decoy, newly drawn radiographs and lesions, and real ones from a folder that is no part of the
product. The clusters are those that an analysis makes.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from worker.datasets.digits import decoy_digits
from worker.lvlm.embedded.language import Domain
from worker.lvlm.embedded.pupils import (
    PUPILS,
    Pupil,
    digit_pictures,
    drawn_photographs,
    network_for_digits,
    network_for_photographs,
)
from worker.lvlm.embedded.scenes import Bytes, Ints, Pictures, Scene, Way, as_input, explained
from worker.method.sampling import alignment_set

DIGITS = Way(5, 1.0, 0.95)  # what an analysis has by default
# Sharpened, which finds small objects. Without the default support the clusters would tile the picture, and their marks
# would show nobody where in them the evidence lies.
PHOTOGRAPHS = Way(5, 2.0, 0.95)
EPOCHS = 15
BASELINES = {"digits": 50, "radiograph": 5, "skin": 5}
TRAINED_ON, FOR_EACH = 600, 6  # pictures that a network learns from: at most, and for each that is asked about
AT_ONCE = 50  # explanations
REAL_FOLDERS: dict[str, tuple[Domain, str]] = {"knees": ("radiograph", "knees"), "lesions": ("skin", "skin_lesions")}
REAL_LABELS: dict[Domain, tuple[str, str]] = {
    "radiograph": ("healthy", "osteoarthritis"),
    "skin": ("benign", "malignant"),
}
MANIFEST = "manifest.csv"
REAL_PUPIL = Pupil("timm/tf_efficientnet_lite0", (0.0, 0.0), 128, 3)


@dataclass(frozen=True)
class RealSet:
    """A folder of real pictures of one domain, in the manifest's form."""

    name: str
    domain: Domain
    folder: Path


def real_sets(folder: Path) -> list[RealSet]:
    """Those of the known sets that are in the folder."""
    return [
        RealSet(name, domain, folder / within)
        for name, (domain, within) in REAL_FOLDERS.items()
        if (folder / within / MANIFEST).is_file()
    ]


def new_digits(images: int, seed: int) -> list[Scene]:
    """Explanations of the real training digits that a network with the shortcut is surest of, class by class."""
    data = decoy_digits(seed)
    train = digit_pictures(data.images[data.train_index], data.labels[data.train_index], data.masks[data.train_index])
    network = network_for_digits(train, seed, EPOCHS)
    return explained_surest(network, train, images, seed, DIGITS)


def new_photographs(domain: Domain, images: int, seed: int) -> list[Scene]:
    """Explanations of drawn pictures by two kinds of network, each with the artefact as its shortcut."""
    generator = np.random.default_rng([seed, 7919])
    scenes: list[Scene] = []
    for pupil in (PUPILS[0], PUPILS[2]):
        learned = min(TRAINED_ON, FOR_EACH * images)
        school = drawn_photographs(domain, learned, pupil.rates, pupil.side, generator)
        network = network_for_photographs(pupil, school, int(generator.integers(2**31)))
        scenes += explained_surest(network, school, images // 2, seed, PHOTOGRAPHS)
    return scenes


def real_photographs(real: RealSet, images: int, seed: int) -> list[Scene]:
    """Explanations of real pictures; the manifest's masks tell where the artefact is, nothing tells where the core is.

    Raises OSError where the folder is not there.
    """
    pictures = read_real(real, REAL_PUPIL.side)
    network = network_for_photographs(REAL_PUPIL, pictures, seed)
    return explained_surest(network, pictures, images, seed, PHOTOGRAPHS)


def read_real(real: RealSet, side: int) -> Pictures:
    """The training pictures of the folder, ``side`` x ``side``, in colour; the core is all but the artefact."""
    with (real.folder / MANIFEST).open(newline="", encoding="utf-8") as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["split"] == "train"]
    images = np.stack([_read(real.folder / row["path"], "RGB", side) for row in rows])
    masks = np.zeros((len(rows), side, side), dtype=np.bool_)
    for index, row in enumerate(rows):
        if row["spurious_mask"]:
            masks[index] = _read(real.folder / row["spurious_mask"], "L", side) > 127  # noqa: PLR2004 - half
    labels = np.array([REAL_LABELS[real.domain].index(row["label"]) for row in rows])
    return Pictures(real.domain, images, labels, masks, ~masks)


def explained_surest(network: nn.Module, pictures: Pictures, images: int, seed: int, way: Way) -> list[Scene]:
    """The pictures of lowest entropy, class by class, explained."""
    logits = _logits(network, pictures.images)
    labels = torch.from_numpy(pictures.labels)
    chosen = alignment_set(logits, labels, images, "low_entropy_per_class", seed).numpy()
    count = BASELINES[pictures.domain]
    baselines = np.random.default_rng(seed).choice(len(pictures.images), count, replace=False)
    return [
        scene
        for part in np.array_split(chosen, max(1, len(chosen) // AT_ONCE))
        for scene in explained(network, _some(pictures, part), pictures.images[baselines], way)
    ]


def _some(pictures: Pictures, index: Ints) -> Pictures:
    return Pictures(
        pictures.domain, pictures.images[index], pictures.labels[index], pictures.artefact[index], pictures.core[index]
    )


@torch.inference_mode()
def _logits(network: nn.Module, images: Bytes) -> Tensor:
    parts = np.array_split(images, max(1, len(images) // 100))
    return torch.cat([network(as_input(part)) for part in parts])


def _read(path: Path, mode: str, side: int) -> Bytes:
    with Image.open(path) as opened:
        return np.asarray(opened.convert(mode).resize((side, side), Image.Resampling.BILINEAR), dtype=np.uint8)
