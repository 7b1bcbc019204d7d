"""What an engineer brings: a zip with pictures of two classes, and the weights of a small model that fits them."""

import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from PIL import Image as Picture

from tests.dicoms import KNEE_16, PATIENT, dicom
from tests.drawn import KNEES, png

SIDE = 16  # pixels of a picture and of the model's input
FORM = {"name": "Knees", "architecture": "mlp", "size": str(SIDE), "channels": "1", "mean": "0.5", "std": "0.5"}


def packed(files: Iterable[tuple[str, bytes]]) -> bytes:
    held = io.BytesIO()
    with ZipFile(held, "w", ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return held.getvalue()


def picture(seed: int, shade: int = 0) -> bytes:
    grain = np.random.default_rng(seed).integers(0, 100, (SIDE, SIDE), dtype=np.uint8)
    return png(Picture.fromarray(grain + np.uint8(shade)))


def folders(classes: Sequence[str] = KNEES, per_class: int = 3) -> bytes:
    """train|validation|test/CLASS/NUMBER.png; the second class is brighter."""
    seed, files = 0, []
    for split in ("train", "validation", "test"):
        for place, name in enumerate(classes):
            for number in range(per_class):
                seed += 1
                files.append((f"{split}/{name}/{number}.png", picture(seed, 120 * place)))
    return packed(files)


def manifest(rows: Sequence[str], header: str = "path,label,split,letter", pictures: bool = True) -> bytes:
    """manifest.csv with these rows, and a picture for each where there are to be some."""
    files = [("manifest.csv", "\n".join((header, *rows)).encode())]
    if pictures:
        files += [(row.split(",")[0], picture(number)) for number, row in enumerate(rows)]
    return packed(files)


def from_hospital() -> bytes:
    """As ``folders``, but DICOM, of 12 bits; the first says that text is written into it."""
    files = []
    for split, name, number in product(("train", "validation", "test"), ("a", "b"), range(3)):
        values = KNEE_16 // 2 + np.uint16(100 * len(files))
        said = {"BurnedInAnnotation": "NO" if files else "YES"}
        data = dicom(values, patient=f"{PATIENT} {split}", WindowCenter=2000, WindowWidth=5000, **said)
        files.append((f"{split}/{name}/{number}{'' if split == 'test' else '.dcm'}", data))
    return packed(files)


@lru_cache
def weights(classes: int = 2) -> bytes:
    """Of an untrained mlp as a safetensors file."""
    from worker.vision import architectures, checkpoints
    from worker.vision.preprocessing import Preprocessing

    form = Preprocessing(size=SIDE, channels=1, mean=(0.5,), std=(0.5,))
    return checkpoints.to_safetensors(architectures.build("mlp", classes, form))
