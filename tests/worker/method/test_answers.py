import torch
from torch import Tensor, nn

from worker.method.answers import logits_of


class Seen(nn.Module):
    """Gives each image's first two pixels as its logits, in half precision, and notes how many come at once."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = list[int]()
        self.anywhere = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        self.counts.append(len(images))
        return (images.flatten(1)[:, :2] + self.anywhere).half()


def test_images_go_through_in_portions_and_keep_their_order() -> None:
    model, images = Seen(), torch.arange(10.0).reshape(5, 1, 1, 2)
    logits = logits_of(model, images, at_once=2)
    assert model.counts == [2, 2, 1]
    assert logits.tolist() == images[:, 0, 0].tolist()
    assert logits.dtype is torch.float32
    assert not logits.requires_grad


def test_no_images_have_no_logits_and_the_model_is_not_asked() -> None:
    model = Seen()
    assert logits_of(model, torch.zeros(0, 1, 1, 2)).shape == (0, 0)
    assert model.counts == []
