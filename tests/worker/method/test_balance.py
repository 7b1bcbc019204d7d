import pytest
import torch
from torch import Tensor, nn

from worker.method.balance import balanced_alignment, cut_evenly, even_shift, in_balance, shown
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


def overfitted(classes: int, counts: list[int], seed: int) -> tuple[Tensor, Tensor]:
    """Logits (V, K), far too sure of themselves, that lean the more to a class the lower its number."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    logits = torch.randn(len(labels), classes, generator=generator) + 2.0 * torch.eye(classes)[labels]
    return 7 * (logits - torch.arange(classes)), labels


@pytest.mark.parametrize(("classes", "counts"), [(2, [400, 60]), (2, [60, 400]), (4, [300, 100, 100, 50])])
def test_each_class_is_right_as_often_as_another_after_the_shift(classes: int, counts: list[int]) -> None:
    def recalls(logits: Tensor, labels: Tensor) -> list[float]:
        right = (logits.argmax(dim=1) == labels).float()
        return [right[labels == label].mean().item() for label in range(classes)]

    shift = even_shift(*overfitted(classes, counts, seed=0))
    others = overfitted(classes, [2000] * classes, seed=1)
    before, after = recalls(*others), recalls(others[0] + shift, others[1])
    assert shift.mean().item() == pytest.approx(0, abs=1e-4)
    assert max(before) - min(before) > 0.2
    assert max(after) - min(after) < 0.15
    assert sum(after) > sum(before)


def test_a_model_is_cut_by_the_biases_of_its_last_layer_alone() -> None:
    logits, labels = overfitted(2, [400, 60], seed=0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2)).eval()
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(2))
    weight, bias = model[1].weight.clone(), model[1].bias.detach().clone()
    images = logits[:, :, None, None]
    assert cut_evenly(model, images, labels)
    assert torch.equal(model[1].weight, weight)
    torch.testing.assert_close(model[1].bias.detach(), bias + even_shift(logits + bias, labels))
    once = model[1].bias.detach().clone()
    assert cut_evenly(model, images, labels)
    torch.testing.assert_close(model[1].bias.detach(), once, rtol=0.05, atol=0.05)
    found = model(images).argmax(dim=1) == labels
    assert found[labels == 1].float().mean() > 0.8


def test_where_a_class_has_few_images_or_the_last_layer_is_not_the_answer_nothing_is_cut() -> None:
    logits, labels = overfitted(2, [400, 9], seed=0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2)).eval()
    before = model[1].bias.detach().clone()
    assert not cut_evenly(model, logits[:, :, None, None], labels)
    assert not cut_evenly(model, logits[:0, :, None, None], labels[:0])
    logits, labels = overfitted(2, [400, 60], seed=0)
    images = logits[:, :, None, None]
    assert not cut_evenly(nn.Sequential(*model, nn.Tanh()), images, labels)
    assert torch.equal(model[1].bias, before)
    assert not cut_evenly(nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False)), images, labels)
    assert not cut_evenly(nn.Flatten(), images, labels)
