import pytest
import torch
from torch import nn

from tests.worker.method.baselines.stripes import network, stripes
from worker.method.baselines.last_layer import features, last_linear, replace_last

MADE = stripes(200, 0, against=0.2)


def test_features_are_what_the_last_layer_is_given() -> None:
    model = network()
    seen, labels = features(model, MADE.data)
    assert torch.equal(labels, MADE.labels)
    with torch.no_grad():
        torch.testing.assert_close(last_linear(model)[1](seen.float()), model(MADE.images))


def test_the_last_layer_is_found_and_replaced_wherever_it_stands() -> None:
    model = nn.Sequential(network(), nn.Identity())
    name, layer = last_linear(model)
    assert name == "0.3"
    replace_last(model, nn.Linear(layer.in_features, 5))
    assert model(MADE.images[:2]).shape == (2, 5)


def test_a_model_that_does_not_end_in_a_linear_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end"):
        features(nn.Sequential(network(), nn.ReLU()), MADE.data)
    with pytest.raises(ValueError, match="no linear layer"):
        features(nn.Conv2d(1, 2, 8), MADE.data)
