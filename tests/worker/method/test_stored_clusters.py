import numpy as np
import pytest
import torch

from worker.method.clustering import cluster
from worker.method.stored_clusters import restored


def two_spots() -> torch.Tensor:
    """An attribution with a round spot left above and a wide one right below: (1, 40, 60)."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(60.0), indexing="ij")
    first = torch.exp(-((x - 12) ** 2 + (y - 9) ** 2) / 18)
    second = torch.exp(-((x - 44) ** 2 / 60 + (y - 30) ** 2 / 10))
    return (first + second - 0.01)[None]


def test_moments_equal_a_sum_over_pixels() -> None:
    phi = two_spots()
    numbers = torch.zeros(1, 40, 60, dtype=torch.int64)
    numbers[:, :20, :30], numbers[:, 25:, 30:50] = 1, 2
    found = restored(numbers, phi, torch.tensor([[0.6, 0.4]]), sharpening=2)
    for number in (1, 2):
        rows, columns = np.nonzero(numbers[0].numpy() == number)
        weights = phi[0, rows, columns].clamp(min=0).numpy() ** 2
        places = np.stack([(columns + 0.5) / 60, (rows + 0.5) / 40])
        mean = np.average(places, axis=1, weights=weights)
        covariance = np.cov(places, aweights=weights, ddof=0) + np.diag([1 / (12 * 60**2), 1 / (12 * 40**2)])
        np.testing.assert_allclose(found.means[0, number - 1], mean, rtol=1e-4)
        np.testing.assert_allclose(found.covariances[0, number - 1], covariance, rtol=1e-3, atol=1e-7)


def test_clusters_come_back_where_they_were() -> None:
    made = cluster(two_spots(), components=2)
    again = restored(made.assignment.long() + 1, two_spots(), made.share)
    assert torch.equal(again.assignment, made.assignment)
    assert torch.equal(again.share, made.share)
    torch.testing.assert_close(again.means, made.means, atol=0.01, rtol=0)
    torch.testing.assert_close(again.covariances, made.covariances, atol=0.002, rtol=0)


def test_a_cluster_whose_evidence_was_rounded_to_nothing_lies_where_its_pixels_lie() -> None:
    numbers = torch.zeros(1, 10, 10, dtype=torch.int64)
    numbers[0, 2, 6], numbers[0, 8, 1:3] = 1, 2
    phi = torch.zeros(1, 10, 10)
    phi[0, 2, 6] = 1.0
    found = restored(numbers, phi, torch.tensor([[1.0, 0.0]]))
    assert found.means[0].tolist() == [pytest.approx([0.65, 0.25]), pytest.approx([0.2, 0.85])]
    assert found.covariances[0, 0].diagonal().tolist() == pytest.approx([1 / 1200, 1 / 1200])
