import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worker.datasets.digits import DecoyDigits, corner_masks, decoy_digits, digits, write_folder


@pytest.fixture(scope="module")
def data() -> DecoyDigits:
    return decoy_digits(seed=3)


def test_splits_are_stratified_and_do_not_meet(data: DecoyDigits) -> None:
    assert len(data.train_index) == 4000
    assert len(data.test_index) == 1000
    assert not set(data.train_index) & set(data.test_index)
    assert set(data.validation_index) <= set(data.train_index)
    assert np.bincount(data.labels[data.train_index]).tolist() == [400] * 10
    assert np.bincount(data.labels[data.validation_index]).tolist() == [40] * 10
    assert np.bincount(data.labels[data.test_index]).tolist() == [100] * 10


def test_training_decoys_tell_the_label(data: DecoyDigits) -> None:
    for index in data.train_index[::97]:
        pixels = data.images[index][data.masks[index]]
        assert pixels.tolist() == [255 - 25 * data.labels[index]] * 16


def test_test_decoys_are_random(data: DecoyDigits) -> None:
    matching = (data.shown == data.labels)[data.test_index].mean()
    assert 0.07 < matching < 0.13
    assert set(data.shown[data.test_index]) == set(range(10))


def test_only_the_decoy_changes_the_digit(data: DecoyDigits) -> None:
    plain, _ = digits()
    assert (data.images == plain)[~data.masks].all()
    assert data.masks.sum(axis=(1, 2)).tolist() == [16] * 5000
    assert np.bincount(data.corner).min() > 1100


def test_the_seed_decides_everything(data: DecoyDigits) -> None:
    again, other = decoy_digits(seed=3), decoy_digits(seed=4)
    assert (again.images == data.images).all()
    assert (again.test_index == data.test_index).all()
    assert (other.test_index != data.test_index).any()


def test_the_four_corners_are_four() -> None:
    assert corner_masks().sum(axis=0).max() == 1
    assert corner_masks()[:, [0, 0, 27, 27], [0, 27, 0, 27]].tolist() == np.eye(4, dtype=bool).tolist()


def test_the_folder_holds_what_the_arrays_hold(tmp_path: Path, data: DecoyDigits) -> None:
    write_folder(tmp_path, seed=3)
    with (tmp_path / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5000
    splits = [row["split"] for row in rows]
    assert [splits.count(split) for split in ("train", "validation", "test")] == [3600, 400, 1000]
    for index in (0, 1234, 4999):
        row = rows[index]
        assert (np.asarray(Image.open(tmp_path / row["path"])) == data.images[index]).all()
        assert (np.asarray(Image.open(tmp_path / row["spurious_mask"])) > 0).tolist() == data.masks[index].tolist()
        assert row["label"] == str(data.labels[index])
        assert row["decoy"] == ("matching" if data.shown[index] == data.labels[index] else "other")
