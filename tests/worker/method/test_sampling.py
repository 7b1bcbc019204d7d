import math

import pytest
import torch
from torch import Tensor

from worker.method.sampling import alignment_set, entropy


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(40, 3, generator=torch.Generator().manual_seed(0)) * 3


def slow_entropy(row: list[float]) -> float:
    exponentials = [math.exp(value) for value in row]
    probabilities = [value / sum(exponentials) for value in exponentials]
    return -sum(p * math.log(p) for p in probabilities)


def test_entropy_is_that_of_the_softmax_in_nats(logits: Tensor) -> None:
    expected = [slow_entropy(row) for row in logits.tolist()]
    torch.testing.assert_close(entropy(logits), torch.tensor(expected))


def test_entropy_of_a_certain_answer_is_zero_and_not_nan() -> None:
    assert entropy(torch.tensor([[0.0, 500.0]])).tolist() == [0.0]


def test_low_entropy_takes_the_images_the_model_is_surest_of(logits: Tensor) -> None:
    slow = sorted(range(40), key=lambda i: slow_entropy(logits[i].tolist()))
    labels = torch.zeros(40, dtype=torch.int64)
    assert alignment_set(logits, labels, 7, "low_entropy", seed=0).tolist() == slow[:7]
    assert alignment_set(logits, labels, 7, "high_entropy", seed=0).tolist() == slow[::-1][:7]


def test_per_class_takes_the_surest_of_every_class_alike(logits: Tensor) -> None:
    labels = torch.arange(40) % 3
    chosen = alignment_set(logits, labels, 9, "low_entropy_per_class", seed=0)
    for label in range(3):
        members = [i for i in range(40) if i % 3 == label]
        surest = sorted(members, key=lambda i: slow_entropy(logits[i].tolist()))[:3]
        assert [i for i in chosen.tolist() if i % 3 == label] == surest


def test_per_class_fills_up_from_other_classes_when_one_is_small(logits: Tensor) -> None:
    labels = torch.tensor([1, 1] + [0] * 38)
    chosen = alignment_set(logits, labels, 10, "low_entropy_per_class", seed=0)
    assert labels[chosen].sum() == 2
    assert len(set(chosen.tolist())) == 10


def test_equal_entropies_keep_the_order_of_the_images() -> None:
    chosen = alignment_set(torch.zeros(6, 2), torch.tensor([0, 1, 0, 1, 0, 1]), 4, "low_entropy", seed=0)
    assert chosen.tolist() == [0, 1, 2, 3]


def test_random_depends_on_the_seed_only(logits: Tensor) -> None:
    labels = torch.zeros(40, dtype=torch.int64)
    first, again, other = (alignment_set(logits, labels, 10, "random", seed=s).tolist() for s in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 10


def test_a_count_beyond_the_images_gives_all_of_them(logits: Tensor) -> None:
    labels = torch.arange(40) % 3
    for strategy in ("low_entropy", "low_entropy_per_class", "random", "high_entropy"):
        assert sorted(alignment_set(logits, labels, 100, strategy, seed=0).tolist()) == list(range(40))
