import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.config import settings
from worker.benchmarks.shortcut_pictures import NAMES, MissingSetError, real_splits, splits
from worker.vision.preprocessing import Preprocessing

GREY = Preprocessing(28, 1, (0.5,), (0.5,))
COLOUR = Preprocessing(28, 3, (0.5,) * 3, (0.5,) * 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures of two classes; the second and the fourth have a mask, the last is for the test."""
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split", "marker", "spurious_mask"))
        for number in range(6):
            pixels = np.full((40, 40), 20 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
            mask = np.zeros((40, 40), np.uint8)
            mask[:20, :20] = 255
            Image.fromarray(mask).save(tmp_path / f"mask{number}.png")
            named = f"mask{number}.png" if number in {1, 3} else ""
            split, marker = "test" if number == 5 else "train", "present" if named else "absent"
            writer.writerow((f"{number}.png", "ba"[number % 2], split, marker, named))
    return tmp_path


@pytest.mark.parametrize(("name", "pre"), [("digits", GREY), ("synthetic_knees", GREY), ("synthetic_lesions", COLOUR)])
def test_drawn_pictures_show_the_artefact_under_its_mask_and_follow_the_seed(name: str, pre: Preprocessing) -> None:
    first, again, other = (splits(name, (24, 6, 4), pre, seed).train for seed in (0, 0, 1))
    assert first.images.shape == (24, pre.channels, 28, 28)
    assert first.truth.shape == (24, 28, 28)
    assert len(first) == len(first.groups) == len(first.artefacts) == 24
    assert -1 <= first.images.min() < first.images.max() <= 1
    assert first.images.equal(again.images)
    assert not first.images.equal(other.images)
    has = first.truth.flatten(1).any(dim=1)
    assert has.any()
    if name != "digits":
        assert has[first.labels == (1 if name == "synthetic_knees" else 0)].float().mean() > 0.5
        assert has[first.labels == (0 if name == "synthetic_knees" else 1)].float().mean() < 0.2
        assert first.artefacts.bool().equal(has)
        assert [group.endswith("=present") for group in first.groups] == has.tolist()


def test_the_test_shows_every_patient_with_and_without_the_artefact() -> None:
    test = splits("synthetic_knees", (4, 2, 6), GREY, 3).test
    assert test.labels[:6].equal(test.labels[6:])
    assert test.artefacts.tolist() == [0] * 6 + [1] * 6
    outside = ~test.truth[6:, None]
    assert test.images[:6][outside].equal(test.images[6:][outside])
    assert set(test.groups) == {
        f"{label} marker={marker}" for label in ("healthy", "osteoarthritis") for marker in ("absent", "present")
    }


def test_no_digit_stands_in_two_splits_and_only_the_test_has_another_classs_square() -> None:
    found = splits("digits", (4000, 400, 1000), GREY, 0)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [3600, 400, 1000]
    assert found.train.artefacts.equal(found.train.labels)
    assert found.validation.artefacts.equal(found.validation.labels)
    other = found.test.artefacts != found.test.labels
    assert 0.8 < other.float().mean() < 0.97
    assert [group.endswith("decoy=other") for group in found.test.groups] == other.tolist()
    strokes = [part.images.flatten(1)[:, 28 * 4 : 28 * 24] for part in (found.train, found.validation, found.test)]
    assert len(torch.cat(strokes).unique(dim=0)) == len(torch.cat(strokes))


def test_some_pictures_may_be_taken() -> None:
    data = splits("synthetic_knees", (8, 2, 2), GREY, 0).train
    some = data.take(torch.tensor([5, 1]))
    assert some.images.equal(data.images[[5, 1]])
    assert some.groups == (data.groups[5], data.groups[1])


def test_real_pictures_are_those_of_their_split_with_their_masks(folder: Path) -> None:
    found = real_splits(folder, (10, 10, 10), Preprocessing(20, 3, (0.5,) * 3, (0.5,) * 3))
    assert found.train.labels.tolist() == [1, 0, 1, 0, 1]
    assert found.train.images.shape == (5, 3, 20, 20)
    torch.testing.assert_close(found.train.images[3], torch.full((3, 20, 20), 60 / 127.5 - 1))
    assert found.train.truth.flatten(1).sum(dim=1).tolist() == [0, 100, 0, 100, 0]
    assert found.train.truth[1, :10, :10].all()
    assert found.train.artefacts.tolist() == [0, 1, 0, 1, 0]
    assert found.train.groups[:2] == ("b marker=absent", "a marker=present")
    assert len(found.validation) == 0
    assert found.test.groups == ("a marker=absent",)


def test_fewer_may_be_asked_for(folder: Path) -> None:
    assert real_splits(folder, (2, 2, 2), GREY).train.labels.tolist() == [1, 0]


def test_real_pictures_that_are_not_there_are_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RIGHTREASONS_REAL_DATA", str(tmp_path))
    settings.cache_clear()
    try:
        for name in ("knees", "skin_lesions"):
            assert name in NAMES
            with pytest.raises(MissingSetError, match="RIGHTREASONS_REAL_DATA names its parent folder"):
                splits(name, (3, 2, 2), COLOUR, 0)
    finally:
        monkeypatch.undo()
        settings.cache_clear()
