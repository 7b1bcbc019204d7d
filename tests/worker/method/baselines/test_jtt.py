import torch
from torch import Tensor, nn

from worker.method.baselines.jtt import error_set, upsampled
from worker.method.realignment import InMemory


class Fixed(nn.Module):
    """Answers class 1 where the only pixel is positive."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([-images.flatten(1), images.flatten(1)], dim=1) * self.weight


def test_the_error_set_is_what_the_first_model_gets_wrong() -> None:
    images = torch.tensor([1.0, -1.0, 2.0, -3.0]).reshape(4, 1, 1, 1)
    assert error_set(Fixed(), InMemory(images, torch.tensor([1, 1, 0, 0]))).tolist() == [1, 2]


def test_errors_are_shown_so_many_times_and_the_others_once() -> None:
    assert upsampled(5, torch.tensor([1, 4]), 3).bincount().tolist() == [1, 3, 1, 1, 3]
    assert upsampled(3, torch.tensor([], dtype=torch.int64), 50).tolist() == [0, 1, 2]
