import pytest
import torch
from torch import Tensor, nn

from worker.method.balance import balanced_alignment, in_balance, shown
from worker.method.realignment import AlignmentImages, Batches, RealignmentSettings, realign, start


@pytest.mark.parametrize(
    ("labels", "indices"),
    [
        ([0, 1, 0, 0, 1], [0, 1, 2, 3, 4, 1]),
        ([2, 0, 2, 2, 2, 2], [0, 1, 2, 3, 4, 5, 1, 1, 1, 1]),
        ([0, 1, 2], [0, 1, 2]),
        ([], []),
    ],
)
def test_every_class_comes_as_often_as_the_commonest(labels: list[int], indices: list[int]) -> None:
    assert in_balance(torch.tensor(labels, dtype=torch.int64)).tolist() == indices


def test_repeated_images_are_those_of_the_given_ones() -> None:
    images, labels = torch.arange(5.0).reshape(5, 1, 1, 1), torch.tensor([0, 1, 0, 0, 1])
    repeated = shown(images, labels, balanced=True)
    images, labels = repeated.take(torch.tensor([5, 0]))
    assert (len(repeated), images.flatten().tolist(), labels.tolist()) == (6, [1.0, 0.0], [1, 0])


def test_alignment_images_keep_their_masks() -> None:
    images, labels = torch.arange(3.0).reshape(3, 1, 1, 1), torch.tensor([0, 0, 1])
    found = balanced_alignment(AlignmentImages(images, labels, images + 10))
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert torch.equal(found.masks, found.images + 10)


def rare(count: int, seed: int, share: float) -> tuple[Tensor, Tensor]:
    """One number an image, which tells the classes apart but for their overlap."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(count, generator=generator) < share).long()
    values = torch.randn(count, generator=generator) + 1.5 * labels
    return values.reshape(-1, 1, 1, 1), labels


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_rare_class_is_named_where_it_would_be_given_up(seed: int) -> None:
    images, labels = rare(600, seed, share=0.1)
    tested, truth = rare(2000, seed + 100, share=0.5)
    settings = RealignmentSettings(loss="control", epochs=5, learning_rate=0.05)

    def found(training: Batches) -> float:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
        realign(model, start(model, settings), training, None, settings, seed=seed, device="cpu", epochs=5)
        with torch.no_grad():
            return float((model(tested).argmax(dim=1) == 1)[truth == 1].float().mean())

    assert found(shown(images, labels, balanced=False)) < 0.45
    assert found(shown(images, labels, balanced=True)) > 0.65
