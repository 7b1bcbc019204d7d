import torch

from tests.worker.method.baselines.stripes import stripes
from worker.method.baselines.groups import members, numbered, worst_share


def test_a_group_is_a_label_with_an_artefact_and_groups_have_no_gaps() -> None:
    told = stripes(200, 0, against=0.1).grouped
    pairs = list(zip(told.labels.tolist(), told.artefacts.tolist(), strict=True))
    order = sorted(set(pairs))
    assert told.groups.tolist() == [order.index(pair) for pair in pairs]
    assert len(order) == 4
    assert numbered(torch.tensor([7, 3, 3, 9])).tolist() == [1, 0, 0, 2]


def test_members_are_the_indices_of_each_group_that_occurs() -> None:
    assert [some.tolist() for some in members(torch.tensor([2, 0, 2, 5]))] == [[1], [0, 2], [3]]


def test_the_worst_share_is_that_of_the_group_where_least_is_true() -> None:
    right = torch.tensor([True, True, False, True, False, False])
    assert worst_share(right, torch.tensor([0, 0, 0, 1, 1, 1])) == 1 / 3
