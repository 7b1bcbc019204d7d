import io

import numpy as np
import pytest
import torch
from PIL import Image

from worker.vision.pictures import ImageError
from worker.vision.preprocessing import Preprocessing, mask_to_tensor, to_pixels, to_tensor

GREY = Preprocessing(4, 1, (0.5,), (0.25,))
COLOUR = Preprocessing(4, 3, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def random_picture(shape: tuple[int, ...]) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_pixels_are_scaled_and_normalised_by_channel() -> None:
    image = random_picture((4, 4, 3))
    tensor = to_tensor([png(image)], COLOUR)
    expected = (np.asarray(image) / 255 - [0.1, 0.2, 0.3]) / [0.4, 0.5, 0.6]
    assert tensor.shape == (1, 3, 4, 4)
    assert tensor.dtype == torch.float32
    assert np.allclose(tensor[0].permute(1, 2, 0).numpy(), expected, atol=1e-6)


def test_the_way_back_gives_the_same_pixels() -> None:
    image = random_picture((4, 4, 3))
    assert (to_pixels(to_tensor([image], COLOUR), COLOUR)[0].numpy() == np.asarray(image)).all()


def test_bytes_and_pictures_of_any_mode_and_size_make_one_batch() -> None:
    batch: list[bytes | Image.Image] = [
        random_picture((4, 4)),
        png(random_picture((9, 5, 3))),
        random_picture((8, 8, 4)),
    ]
    assert to_tensor(batch, GREY).shape == (3, 1, 4, 4)
    assert to_tensor(batch, COLOUR).shape == (3, 3, 4, 4)
    assert to_tensor([], COLOUR).shape == (0, 3, 4, 4)


def test_the_whole_picture_is_kept_when_it_is_resized() -> None:
    wide = np.zeros((8, 80), dtype=np.uint8)
    wide[:, :16] = wide[:, -16:] = 255
    left, *_, right = to_tensor([Image.fromarray(wide)], GREY)[0, 0, 0].tolist()
    assert left == right > 0


def test_masks_are_true_where_at_least_half_is_covered() -> None:
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[:2, :2] = 255
    mask[0, 4] = 255  # a quarter of its cell
    mask[6:, 6] = 255  # half of its cell
    assert mask_to_tensor(png(Image.fromarray(mask)), 4).nonzero().tolist() == [[0, 0], [3, 3]]
    assert mask_to_tensor(png(Image.fromarray(mask > 0)), 8).equal(torch.from_numpy(mask > 0))


def test_a_broken_picture_is_told() -> None:
    with pytest.raises(ImageError):
        to_tensor([b"nothing"], GREY)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, 1, (0.5,), (0.5,)), "at least 1"),
        ((4, 2, (0.5, 0.5), (0.5, 0.5)), "1 channel"),
        ((4, 3, (0.5,), (0.5, 0.5, 0.5)), "mean has 1 values for 3"),
        ((4, 1, (0.5,), (0.0,)), "above zero"),
    ],
)
def test_impossible_preprocessing_is_refused(
    values: tuple[int, int, tuple[float, ...], tuple[float, ...]], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Preprocessing(*values)  # type: ignore[arg-type]
