import math
from dataclasses import replace

import pytest
import torch

from tests.worker.method.baselines.stripes import SCHEDULE, case, network
from worker.method.baselines import self_guided
from worker.method.baselines.last_layer import features
from worker.method.baselines.measured import answers, mean_accuracy

RIGHT = torch.tensor([1, 1, 1, 0, 1, 0, 0, 0, 1, 1], dtype=torch.bool)
LABELS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
PRESENT = torch.tensor([[1, 1, 1, 1, 0, 0, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1, 0, 1, 0]], dtype=torch.bool).T


def slow_spuriousness(label: int, attribute: int) -> float:
    sides: dict[bool, list[bool]] = {True: [], False: []}
    for right, its, has in zip(RIGHT.tolist(), LABELS.tolist(), PRESENT[:, attribute].tolist(), strict=True):
        if its == label:
            sides[has].append(right)
    if not sides[True] or not sides[False] or not any(sides[True]) or not any(sides[False]):
        return 0.0
    with_it, without = (sum(side) / len(side) for side in (sides[True], sides[False]))
    return math.tanh(abs(math.log(with_it / without)))


def test_spuriousness_compares_a_classs_accuracy_with_and_without_the_attribute() -> None:
    found = self_guided.spuriousness(RIGHT, LABELS, PRESENT, 2)
    expected = [[slow_spuriousness(label, attribute) for attribute in (0, 1)] for label in (0, 1)]
    assert found.tolist() == [pytest.approx(row) for row in expected]
    assert expected[0][0] > 0
    assert expected[0][1] == expected[1][0] == 0


def test_finer_labels_lie_within_the_class_and_part_different_behaviours() -> None:
    finer = self_guided.finer_labels(RIGHT, LABELS, PRESENT[:, :1], 2, 2, torch.Generator().manual_seed(0))
    assert torch.equal(finer // 2, LABELS)
    # Class 0 behaves differently with the attribute and without it.
    assert len(set(finer[:4].tolist())) == 1
    assert set(finer[:4].tolist()).isdisjoint(finer[4:6].tolist())


def test_classes_and_the_clusters_they_have_are_drawn_equally_often() -> None:
    finer = torch.tensor([0] * 6 + [2] * 2 + [4] * 5 + [3] * 1)
    given = self_guided.shares(finer, 3)
    by_finer = torch.zeros(5, dtype=torch.float64).index_add_(0, finer, given)
    torch.testing.assert_close(by_finer, torch.tensor([0.5, 0.0, 0.5, 0.5, 0.5], dtype=torch.float64))


def test_the_finer_layer_starts_as_the_coarse_one_and_answers_the_largest_of_each_class() -> None:
    coarse = torch.nn.Linear(5, 3)
    seen = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    finer = self_guided.FinerLayer(coarse, 2)
    torch.testing.assert_close(finer.eval()(seen), coarse(seen))
    with torch.no_grad():
        finer.linear.bias += torch.tensor([0.0, 1.0, 2.0, 0.0, 0.0, 0.0])
    torch.testing.assert_close(finer.eval()(seen), coarse(seen) + torch.tensor([1.0, 2.0, 0.0]))
    assert finer.train()(seen).shape == (4, 6)


def test_directions_are_those_of_greatest_variance() -> None:
    seen = torch.randn(200, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen[:, 4] *= 10
    found = self_guided.directions(seen)
    assert found.basis.shape == (12, self_guided.ATTRIBUTES)
    assert float(found.basis[4, 0].abs()) > 0.99
    above = seen[:, 4] > seen[:, 4].mean()
    agreeing = float((found.present(seen)[:, 0] == above).double().mean())
    assert max(agreeing, 1 - agreeing) > 0.95


def test_the_finer_labels_are_formed_anew_in_every_round() -> None:
    given = case(0)
    seen, _ = features(given.original, given.train.data)
    present = self_guided.directions(seen).present(seen)
    rounds = self_guided._Rounds(given.train.data, present, 2, 2, steps=3, batch_size=8)
    batches = rounds.sample(given.original, torch.Generator().manual_seed(0))
    finer = []
    for _ in range(5):
        assert len(next(batches)) == 8
        finer.append(rounds.finer)
    assert finer[0] is finer[1] is finer[2]
    assert finer[3] is finer[4]
    assert finer[3] is not finer[0]


def test_the_papers_criterion_is_the_mean_accuracy_of_classes_with_attributes() -> None:
    given, model = case(0), network(5)
    found = self_guided.directions(features(given.original, given.train.data)[0])
    seen, labels = features(given.original, given.validation.data)
    predicted, _ = answers(model, given.validation.data)
    shares = []
    for label in (0, 1):
        for attribute in range(self_guided.ATTRIBUTES):
            some = (labels == label) & found.present(seen)[:, attribute]
            if int(some.sum()) > 20:
                shares.append(float((predicted == labels)[some].double().mean()))
    score = self_guided.pseudo_unbiased(found, given.original, given.validation.data)
    assert score(model) == pytest.approx(sum(shares) / len(shares))
    few = replace(given.validation, images=given.validation.images[:20], labels=given.validation.labels[:20])
    assert self_guided.pseudo_unbiased(found, given.original, few.data)(model) == mean_accuracy(model, few.data)


def test_it_ends_as_a_model_that_still_knows_the_classes() -> None:
    given = case(0)
    fitted = self_guided.fit(given.original, given.train.data, given.validation.data, SCHEDULE, 0)
    assert mean_accuracy(fitted, given.validation.data) > 0.85


def test_heaps_that_stand_apart_are_found_and_few_different_points_leave_some_empty() -> None:
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    truth = torch.arange(60) % 3
    points = centres[truth] + 0.3 * torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    found = self_guided.heaps(points, 3, torch.Generator().manual_seed(0))
    assert sorted(len(set(found[truth == heap].tolist())) for heap in range(3)) == [1, 1, 1]
    assert len(set(found.tolist())) == 3
    same = torch.tensor([[0.0], [1.0]]).repeat(5, 1)
    assert len(set(self_guided.heaps(same, 4, torch.Generator().manual_seed(0)).tolist())) == 2
