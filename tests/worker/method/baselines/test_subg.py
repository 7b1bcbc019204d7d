import torch

from worker.method.baselines.subg import subset


def test_the_subset_has_as_many_of_every_group_as_the_smallest_group_and_each_image_once() -> None:
    groups = torch.tensor([0] * 50 + [2] * 7 + [3] * 20)
    chosen = subset(groups, torch.Generator().manual_seed(0))
    assert groups[chosen].bincount().tolist() == [7, 0, 7, 7]
    assert len(set(chosen.tolist())) == 21
    assert not torch.equal(chosen, subset(groups, torch.Generator().manual_seed(1)))
