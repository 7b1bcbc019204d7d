"""How large a picture may be is one limit, that of the settings, wherever a stored one is read."""

import io
from collections.abc import Callable
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image as Pillow

from app.storage import storage
from worker.benchmarks.own_database import forget_settings
from worker.tasks.cases import Explained, cases
from worker.tasks.inputs import ImageRow, pictures, store_assignment, true_masks
from worker.vision.pictures import MAX_PIXELS, ImageError
from worker.vision.preprocessing import Preprocessing

PRE = Preprocessing(size=8, channels=1, mean=(0.0,), std=(1.0,))


def stored(width: int, height: int) -> str:
    buffer = io.BytesIO()
    Pillow.new("1", (width, height)).save(buffer, "PNG")
    return storage().put(buffer.getvalue())


def row(blob: str) -> ImageRow:
    return ImageRow(uuid4(), blob, blob, 0, "ill", {})


def case_of(blob: str) -> object:
    assignment = store_assignment(np.zeros((8, 8)))
    return cases([Explained(uuid4(), uuid4(), "ill", blob, assignment, {}, {})], {})


@pytest.fixture
def limit(data_folder: object, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_limit(pixels: int) -> None:
        monkeypatch.setenv("RIGHTREASONS_MAX_IMAGE_PIXELS", str(pixels))
        forget_settings()

    return set_limit


@pytest.mark.parametrize(
    "read", [lambda blob: pictures([row(blob)], PRE), lambda blob: true_masks([row(blob)], 8), case_of]
)
def test_no_stage_reads_more_pixels_than_the_settings_allow(
    limit: Callable[[int], None], read: Callable[[str], object]
) -> None:
    limit(100)
    with pytest.raises(ImageError, match="at most 100 in all"):
        read(stored(20, 20))


def test_a_picture_as_large_as_the_settings_allow_is_read_by_every_stage(limit: Callable[[int], None]) -> None:
    limit(50_000_000)
    blob = stored(8000, MAX_PIXELS // 8000 + 10)
    assert pictures([row(blob)], PRE).shape == (1, 1, 8, 8)
    assert true_masks([row(blob)], 8).shape == (1, 8, 8)
