import pytest
import torch

from worker.vision.architectures import build
from worker.vision.completeness import prove
from worker.vision.preprocessing import Preprocessing

PRE = Preprocessing(32, 3, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("mlp", "deeplift_shap"),
        ("small_cnn", "deeplift_shap"),
        ("torchvision/resnet18", "deeplift_shap"),
        ("timm/tf_efficientnet_lite0", "deeplift_shap"),
        ("timm/convnext_atto", "integrated_gradients"),
    ],
)
def test_each_architecture_gets_the_method_that_is_complete_on_it_and_a_reason(name: str, method: str) -> None:
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = build(name, 3, PRE)
    choice = prove(model, images[:2], torch.tensor([0, 2]), images[2:])
    assert choice.method == method
    assert choice.error < 1e-4
    assert "is complete" in choice.reason
    assert next(model.parameters()).dtype == torch.float32
