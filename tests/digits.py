"""Folders with a part of the demo's digits: quick to read, and enough to learn the shortcut from."""

import csv
import shutil
import tempfile
from pathlib import Path

from worker.datasets.digits import write_folder


def write_some_digits(folder: Path, every_training: int, every_other: int) -> None:
    """Every so many-th image of training, and of the other splits, with its row and its mask."""
    with tempfile.TemporaryDirectory() as space:
        whole = Path(space)
        write_folder(whole, seed=0)
        with (whole / "manifest.csv").open(newline="") as manifest:
            rows = list(csv.DictReader(manifest))
        training, others = [[row for row in rows if (row["split"] == "train") is is_it] for is_it in (True, False)]
        kept = training[::every_training] + others[::every_other]
        with (folder / "manifest.csv").open("w", newline="") as manifest:
            writer = csv.DictWriter(manifest, rows[0])
            writer.writeheader()
            writer.writerows(kept)
        for path in (row[column] for row in kept for column in ("path", "spurious_mask")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(whole / path, folder / path)
