"""A checkpoint as an ONNX file answers as the checkpoint does, whatever it is and however many pictures it is given."""

import onnx
import pytest
import torch
from onnx import numpy_helper
from PIL import Image
from torch import Tensor, nn

from worker.method.answers import logits_of
from worker.vision import architectures
from worker.vision.onnx_file import OnnxError, answers, as_pixels, check, to_onnx
from worker.vision.preprocessing import Preprocessing, to_tensor

GREY = Preprocessing(size=32, channels=1, mean=(0.4,), std=(0.2,))
COLOUR = Preprocessing(size=32, channels=3, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
TOLD = {"classes": '["healthy", "ill"]', "reason": "Gut so – weiß ich."}


def noise(count: int, pre: Preprocessing) -> tuple[Tensor, Tensor]:
    """The same pictures as pixels and as a model takes them."""
    values = torch.randint(0, 256, (count, 40, 40, 3), generator=torch.Generator().manual_seed(count))
    images = [Image.fromarray(each.to(torch.uint8).numpy()) for each in values]
    return to_tensor(images, as_pixels(pre)), to_tensor(images, pre)


@pytest.mark.parametrize(
    ("name", "pre"),
    [("mlp", GREY), ("small_cnn", COLOUR), ("timm/mobilenetv3_small_050", COLOUR), ("torchvision/squeezenet1_1", GREY)],
)
def test_the_file_answers_as_the_model_does_for_one_picture_and_for_three(name: str, pre: Preprocessing) -> None:
    model = architectures.build(name, 3, pre)
    file = to_onnx(model, pre, TOLD)
    check(file)
    for count in (1, 3):
        pixels, normalised = noise(count, pre)
        assert pixels.min() >= 0
        assert pixels.max() <= 1
        given, own = answers(file, pixels, threads=1), logits_of(model, normalised)
        assert given.shape == own.shape == (count, 3)
        torch.testing.assert_close(given, own, rtol=0, atol=1e-4 * max(1.0, own.abs().max().item()))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return architectures.build("small_cnn", 2, GREY, seed=3)


@pytest.fixture(scope="module")
def file(model: nn.Module) -> bytes:
    return to_onnx(model, GREY, TOLD)


def test_it_says_what_it_takes_and_gives_and_what_it_was_told(file: bytes) -> None:
    made = onnx.load_from_string(file)
    (image,), (logits,) = made.graph.input, made.graph.output
    assert (image.name, logits.name) == ("image", "logits")
    assert [each.dim_param or each.dim_value for each in image.type.tensor_type.shape.dim] == ["batch", 1, 32, 32]
    assert [each.dim_param or each.dim_value for each in logits.type.tensor_type.shape.dim] == ["batch", 2]
    assert {each.key: each.value for each in made.metadata_props} == TOLD


def test_all_weights_are_inside_and_no_line_of_this_machines_code(file: bytes) -> None:
    made = onnx.load_from_string(file)
    assert all(each.data_location == onnx.TensorProto.DEFAULT for each in made.graph.initializer)
    assert b".py" not in file
    assert not [node.metadata_props for node in made.graph.node if node.metadata_props]


def test_the_same_model_makes_the_same_bytes(model: nn.Module, file: bytes) -> None:
    assert to_onnx(model, GREY, TOLD) == file


def test_the_model_stays_as_it_was(model: nn.Module, file: bytes) -> None:
    del file  # made of it
    fresh = architectures.build("small_cnn", 2, GREY, seed=3)
    assert all(torch.equal(was, now) for was, now in zip(fresh.parameters(), model.parameters(), strict=True))
    assert not model.training


def test_a_weight_that_was_changed_shows_in_the_answers(model: nn.Module, file: bytes) -> None:
    made = onnx.load_from_string(file)
    bias = next(each for each in made.graph.initializer if list(each.dims) == [2])
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + 0.01, bias.name))
    pixels, normalised = noise(3, GREY)
    difference = (answers(made.SerializeToString(), pixels, threads=1) - logits_of(model, normalised)).abs().max()
    assert difference.item() == pytest.approx(0.01, abs=1e-5)


def test_what_is_no_onnx_file_or_lacks_a_weight_is_refused(file: bytes) -> None:
    with pytest.raises(OnnxError, match="not valid"):
        check(b"no file at all")
    made = onnx.load_from_string(file)
    del made.graph.initializer[0]
    with pytest.raises(OnnxError, match="not valid"):
        check(made.SerializeToString())


class Undecided(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image.mean((2, 3)) if image.sum() > 0 else image.amax((2, 3))


def test_what_cannot_be_said_in_onnx_is_told_in_a_sentence() -> None:
    with pytest.raises(OnnxError, match=r"can’t be written as an ONNX file \(.+\)"):
        to_onnx(Undecided(), GREY, {})
