import torch

from worker.method.baselines.k_means import k_means


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_well_separated_heaps_are_found() -> None:
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    truth = torch.arange(60) % 3
    found = k_means(centres[truth] + 0.3 * torch.randn(60, 2, generator=generator()), 3, generator())
    assert all(len(set(found[truth == heap].tolist())) == 1 for heap in range(3))
    assert len(set(found.tolist())) == 3


def test_every_point_is_with_the_nearest_mean() -> None:
    points = torch.randn(80, 3, generator=generator())
    found = k_means(points, 4, generator())
    means = torch.stack([points[found == cluster].mean(dim=0) for cluster in range(4)])
    assert torch.equal(torch.cdist(points, means).argmin(dim=1), found)


def test_fewer_different_points_than_clusters_leave_clusters_empty() -> None:
    points = torch.tensor([[0.0], [1.0]]).repeat(5, 1)
    assert len(set(k_means(points, 4, generator()).tolist())) == 2
