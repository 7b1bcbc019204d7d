import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.config import settings
from worker.benchmarks.shortcut_pictures import NAMES, MissingSetError, pictures, real_pictures
from worker.vision.preprocessing import Preprocessing

GREY = Preprocessing(28, 1, (0.5,), (0.5,))
COLOUR = Preprocessing(28, 3, (0.5,) * 3, (0.5,) * 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures of two classes; the second and the fourth have a mask, the last is for the test."""
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split", "spurious_mask"))
        for number in range(6):
            pixels = np.full((40, 40), 20 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
            mask = np.zeros((40, 40), np.uint8)
            mask[:20, :20] = 255
            Image.fromarray(mask).save(tmp_path / f"mask{number}.png")
            named = f"mask{number}.png" if number in {1, 3} else ""
            writer.writerow((f"{number}.png", "ba"[number % 2], "test" if number == 5 else "train", named))
    return tmp_path


@pytest.mark.parametrize(("name", "pre"), [("digits", GREY), ("synthetic_knees", GREY), ("synthetic_lesions", COLOUR)])
def test_drawn_pictures_show_the_artefact_under_its_mask_and_follow_the_seed(name: str, pre: Preprocessing) -> None:
    first, again, other = (pictures(name, 24, pre, seed) for seed in (0, 0, 1))
    assert first.images.shape == (24, pre.channels, 28, 28)
    assert first.truth.shape == (24, 28, 28)
    assert -1 <= first.images.min() < first.images.max() <= 1
    assert first.images.equal(again.images)
    assert not first.images.equal(other.images)
    has = first.truth.flatten(1).any(dim=1)
    assert has.any()
    if name != "digits":
        assert has[first.labels == (1 if name == "synthetic_knees" else 0)].float().mean() > 0.5
        assert has[first.labels == (0 if name == "synthetic_knees" else 1)].float().mean() < 0.2


def test_real_pictures_are_those_of_the_training_split_with_their_masks(folder: Path) -> None:
    found = real_pictures(folder, 10, Preprocessing(20, 3, (0.5,) * 3, (0.5,) * 3))
    assert found.labels.tolist() == [1, 0, 1, 0, 1]
    assert found.images.shape == (5, 3, 20, 20)
    torch.testing.assert_close(found.images[3], torch.full((3, 20, 20), 60 / 127.5 - 1))
    assert found.truth.flatten(1).sum(dim=1).tolist() == [0, 100, 0, 100, 0]
    assert found.truth[1, :10, :10].all()


def test_fewer_may_be_asked_for(folder: Path) -> None:
    assert real_pictures(folder, 2, GREY).labels.tolist() == [1, 0]


def test_real_pictures_that_are_not_there_are_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RIGHTREASONS_REAL_DATA", str(tmp_path))
    settings.cache_clear()
    try:
        for name in ("knees", "skin_lesions"):
            assert name in NAMES
            with pytest.raises(MissingSetError, match="RIGHTREASONS_REAL_DATA names its parent folder"):
                pictures(name, 3, COLOUR, 0)
    finally:
        monkeypatch.undo()
        settings.cache_clear()
