from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from captum.attr import DeepLiftShap
from torch import Tensor, nn
from torch.nn import functional as F

from worker.method import attribution
from worker.method.attribution import attribute, choose, completeness_error, repaired

LABELS = torch.tensor([0, 3])


def fresh(make: Callable[[], nn.Module]) -> nn.Module:
    """A model with random weights, and batch statistics that are not the untouched zeros and ones."""
    torch.manual_seed(0)
    model = make()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


def pictures(count: int, channels: int = 3, size: int = 32, seed: int = 0) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed))


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 4)
    )


class Awkward(nn.Module):
    """One shared ReLU, a functional one, a method, ReLU6, an in-place one, overlapping max-pooling, batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.shared = nn.ReLU(inplace=True)
        self.last = nn.Linear(6, 4)

    def forward(self, images: Tensor) -> Tensor:
        value = F.max_pool2d(self.shared(self.norm(self.first(images))), 3, stride=2, padding=1)
        value = self.shared(self.second(value)) + F.relu6(value * 4)
        value += torch.tanh(value)
        value = F.relu(self.second(value), inplace=True)
        value = F.max_pool2d(value, (3, 2), stride=2, ceil_mode=True).sub(0.1).relu()
        output: Tensor = self.last(value.mean(dim=(2, 3)))
        return output


REAL: dict[str, Callable[[], nn.Module]] = {
    "torchvision resnet18": lambda: torchvision.models.resnet18(num_classes=4),
    "torchvision densenet121": lambda: torchvision.models.densenet121(num_classes=4),
    "torchvision mobilenet_v2": lambda: torchvision.models.mobilenet_v2(num_classes=4),
    "torchvision squeezenet": lambda: torchvision.models.squeezenet1_1(num_classes=4),
    "timm resnet18": lambda: timm.create_model("resnet18", num_classes=4),
    "timm efficientnet_lite0": lambda: timm.create_model("efficientnet_lite0", num_classes=4),
    "a model with every trap": Awkward,
}


@pytest.mark.parametrize("name", REAL)
def test_deeplift_shap_is_chosen_and_complete_for(name: str) -> None:
    choice = choose(fresh(REAL[name]), pictures(2), LABELS, pictures(2, seed=1))
    assert choice.method == "deeplift_shap"
    assert choice.error < 1e-6
    assert "is complete" in choice.reason


@pytest.mark.parametrize("name", ["torchvision resnet18", "timm efficientnet_lite0", "a model with every trap"])
def test_deeplift_shap_is_complete_in_single_precision_for(name: str) -> None:
    error = completeness_error(fresh(REAL[name]), pictures(2), LABELS, pictures(2, seed=1), "deeplift_shap")
    assert error < 1e-4


@pytest.mark.parametrize("name", ["torchvision densenet121", "torchvision squeezenet", "a model with every trap"])
def test_repairing_keeps_the_outputs_of(name: str) -> None:
    model = fresh(REAL[name]).eval()
    images = pictures(3)
    torch.testing.assert_close(repaired(model)(images), model(images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [8, 9, 13])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "ceil"),
    [(2, 2, 0, False), (3, 2, 1, False), (3, 2, 0, True), (3, 2, 1, True), (5, 3, 2, True), (2, 3, 1, True)],
)
def test_max_pooling_by_relus_equals_max_pooling(size: int, kernel: int, stride: int, padding: int, ceil: bool) -> None:
    pool = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
    images = pictures(2, size=size)
    torch.testing.assert_close(repaired(pool)(images), pool(images))


def slow_deeplift(model: nn.Sequential, image: Tensor, label: int, baseline: Tensor) -> Tensor:
    """Multipliers by the rescale rule (Shrikumar et al. 2017, eq. 5 and 11), layer by layer from the output back."""
    inputs, references = [image[None]], [baseline[None]]
    for layer in model:
        inputs.append(layer(inputs[-1]))
        references.append(layer(references[-1]))
    multiplier = torch.zeros_like(inputs[-1])
    multiplier[0, label] = 1
    for position in reversed(range(len(model))):
        before, reference = inputs[position], references[position]
        if isinstance(model[position], nn.ReLU):
            multiplier = multiplier * (before.relu() - reference.relu()) / (before - reference)
        else:
            inner = before.detach().requires_grad_()
            (multiplier,) = torch.autograd.grad(model[position](inner), inner, multiplier)
    return (multiplier * (image - baseline))[0]


def test_deeplift_shap_is_the_mean_of_the_rescale_rule_over_the_baselines() -> None:
    model = fresh(small)
    assert isinstance(model, nn.Sequential)
    images, baselines = pictures(2, size=16), pictures(3, size=16, seed=1)
    expected = torch.stack(
        [
            torch.stack([slow_deeplift(model, image, int(label), baseline) for baseline in baselines]).mean(0).sum(0)
            for image, label in zip(images, LABELS, strict=True)
        ]
    )
    torch.testing.assert_close(attribute(model, images, LABELS, baselines, "deeplift_shap"), expected.detach())


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks")
def test_deeplift_shap_agrees_with_captum_where_captum_is_right() -> None:
    model = fresh(small)
    images, baselines = pictures(2, size=16), pictures(3, size=16, seed=1)
    theirs = DeepLiftShap(model).attribute(images.clone().requires_grad_(), baselines, target=LABELS).sum(dim=1)
    torch.testing.assert_close(attribute(model, images, LABELS, baselines, "deeplift_shap"), theirs.detach())


def slow_path_gradient(model: nn.Module, image: Tensor, label: int, baseline: Tensor, steps: int) -> Tensor:
    """Integrated gradients by the midpoint rule (Sundararajan et al. 2017, eq. 3)."""
    total = torch.zeros_like(image)
    for step in range(steps):
        point = (baseline + (step + 0.5) / steps * (image - baseline)).requires_grad_()
        total += torch.autograd.grad(model(point[None])[0, label], point)[0] / steps
    return ((image - baseline) * total).sum(dim=0)


def test_integrated_gradients_equals_a_fine_sum_along_the_path() -> None:
    model = fresh(lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.Softplus(), nn.Linear(8, 4)))
    images, baselines = pictures(2, size=4), pictures(2, size=4, seed=1)
    expected = torch.stack(
        [
            torch.stack([slow_path_gradient(model, image, int(label), b, 1000) for b in baselines]).mean(dim=0)
            for image, label in zip(images, LABELS, strict=True)
        ]
    )
    found = attribute(model, images, LABELS, baselines, "integrated_gradients")
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_expected_gradients_approaches_integrated_gradients_averaged_over_many_baselines() -> None:
    model = fresh(lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.Tanh(), nn.Linear(8, 4)))
    images, baselines = pictures(2, size=4), pictures(64, size=4, seed=1)
    expected = attribute(model, images, LABELS, baselines, "integrated_gradients")
    found = attribute(model, images, LABELS, baselines, "expected_gradients")
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()


class Squeezed(nn.Module):
    """A product of two activations, for which DeepLIFT has no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.last = nn.Conv2d(3, 6, 3), nn.Conv2d(3, 6, 3), nn.Linear(6, 4)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.last((F.silu(self.conv(images)) * torch.sigmoid(self.gate(images))).mean(dim=(2, 3)))
        return output


def test_a_model_without_exact_rules_falls_back_to_integrated_gradients_and_says_why() -> None:
    choice = choose(fresh(Squeezed), pictures(2), LABELS, pictures(2, seed=1))
    assert choice.method == "integrated_gradients"
    assert choice.error < attribution.PATH_THRESHOLD
    assert choice.reason.startswith("DeepLIFT SHAP is not complete: its error of ")


class Jumpy(nn.Module):
    """Steps have no gradient, so that no path method can be complete."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 4)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.last(images.mean(dim=(2, 3)) + images.sign().mean(dim=(2, 3)))
        return output


def test_expected_gradients_is_the_last_resort() -> None:
    choice = choose(fresh(Jumpy), pictures(2), LABELS, pictures(2, seed=1))
    assert choice.method == "expected_gradients"
    assert choice.reason.count("is not complete") == 2


def test_explaining_leaves_the_model_and_the_images_as_they_were() -> None:
    model = fresh(Awkward).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images = pictures(2)
    attribute(model, images, LABELS, pictures(2, seed=1), "deeplift_shap")
    assert model.training
    assert not images.requires_grad
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_answer_does_not_depend_on_how_the_images_are_portioned(monkeypatch: pytest.MonkeyPatch) -> None:
    model, labels = fresh(small), torch.tensor([0, 1, 2, 3, 0])
    images, baselines = pictures(5, size=16), pictures(3, size=16, seed=1)
    whole = attribute(model, images, labels, baselines, "deeplift_shap")
    monkeypatch.setattr(attribution, "PIXELS_AT_ONCE", 2 * baselines.numel())
    torch.testing.assert_close(attribute(model, images, labels, baselines, "deeplift_shap"), whole)


def test_no_images_give_no_attributions() -> None:
    found = attribute(fresh(small), pictures(0, size=16), LABELS[:0], pictures(1, size=16), "deeplift_shap")
    assert found.shape == (0, 16, 16)
