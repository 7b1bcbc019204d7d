import math
from itertools import pairwise

import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from worker.method import clustering
from worker.method.clustering import Clustering, cluster, evidence


def blobs(places: list[tuple[float, float, float, float]], size: int = 48) -> Tensor:
    """A map of round hills: (x, y, standard deviation, mass) each, in units of the image."""
    steps = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    hills = [mass * torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * s**2)) / s**2 for cx, cy, s, mass in places]
    return torch.stack(hills).sum(dim=0)[None]


THREE = [(0.2, 0.25, 0.04, 5.0), (0.75, 0.3, 0.06, 3.0), (0.5, 0.8, 0.05, 2.0)]


def slow_em_step(
    weights: list[list[float]], share: list[float], means: list[list[float]], covariances: list[list[list[float]]]
) -> tuple[list[float], list[list[float]], list[list[list[float]]], float]:
    """One step of weighted EM on pixel centres, pixel by pixel (Bishop 2006, 9.23-9.27, each pixel counted w times)."""
    size, components = len(weights), len(share)
    mass = [0.0] * components
    first = [[0.0, 0.0] for _ in range(components)]
    second = [[[0.0, 0.0], [0.0, 0.0]] for _ in range(components)]
    log_likelihood = 0.0
    for row in range(size):
        for column in range(size):
            z = ((column + 0.5) / size, (row + 0.5) / size)
            density = []
            for pi, mu, ((a, b), (_, d)) in zip(share, means, covariances, strict=True):
                u, v = z[0] - mu[0], z[1] - mu[1]
                determinant = a * d - b * b
                distance = (d * u * u - 2 * b * u * v + a * v * v) / determinant
                density.append(pi * math.exp(-distance / 2) / (2 * math.pi * math.sqrt(determinant)))
            log_likelihood += weights[row][column] * math.log(sum(density))
            for j in range(components):
                part = weights[row][column] * density[j] / sum(density)
                mass[j] += part
                for i in range(2):
                    first[j][i] += part * z[i]
                    for k in range(2):
                        second[j][i][k] += part * z[i] * z[k]
    new_means = [[first[j][i] / mass[j] for i in range(2)] for j in range(components)]
    new_covariances = [
        [[second[j][i][k] / mass[j] - new_means[j][i] * new_means[j][k] for k in range(2)] for i in range(2)]
        for j in range(components)
    ]
    return mass, new_means, new_covariances, log_likelihood


def test_one_step_equals_textbook_em_pixel_by_pixel() -> None:
    weights = evidence(blobs(THREE, size=16)).double()
    share, means = [0.5, 0.3, 0.2], [[0.3, 0.3], [0.7, 0.4], [0.4, 0.7]]
    covariances = [[[0.02, 0.005], [0.005, 0.03]], [[0.01, 0.0], [0.0, 0.02]], [[0.03, -0.01], [-0.01, 0.02]]]
    mixture = clustering._Mixture(
        torch.tensor([share]).double(),
        torch.tensor([means]).double() - 0.5,
        torch.tensor([[[a, b, d] for (a, b), (_, d) in covariances]]).double(),
        torch.zeros(1).double(),
    )
    step = clustering._em_step(weights.flatten(1), clustering._features(weights), mixture, floor=1e-9)
    mass, new_means, new_covariances, log_likelihood = slow_em_step(weights[0].tolist(), share, means, covariances)
    torch.testing.assert_close(step.share[0], torch.tensor(mass).double())
    torch.testing.assert_close(step.means[0] + 0.5, torch.tensor(new_means).double())
    packed = [[a, b, d] for (a, b), (_, d) in new_covariances]
    torch.testing.assert_close(step.covariances[0], torch.tensor(packed).double())
    assert step.log_likelihood.item() == pytest.approx(log_likelihood)


def test_em_never_loses_log_likelihood() -> None:
    weights = evidence(torch.rand(1, 20, 20, generator=torch.Generator().manual_seed(0)) ** 8).double()
    mixture = clustering._peaks(weights, 4, 0.1)
    floor, features, found = clustering._pixel_variance(weights), clustering._features(weights), []
    for _ in range(60):
        mixture = clustering._em_step(weights.flatten(1), features, mixture, floor)
        found.append(mixture.log_likelihood.item())
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(found))


def test_hills_are_found_with_their_share_place_and_spread() -> None:
    found = cluster(blobs(THREE), components=3)
    torch.testing.assert_close(found.share[0], torch.tensor([0.5, 0.3, 0.2]), atol=0.01, rtol=0)
    torch.testing.assert_close(found.means[0], torch.tensor([[x, y] for x, y, _, _ in THREE]), atol=0.01, rtol=0)
    expected = torch.tensor([s**2 for _, _, s, _ in THREE])
    torch.testing.assert_close(found.covariances[0, :, 0, 0], expected, atol=2e-4, rtol=0.05)
    torch.testing.assert_close(found.covariances[0, :, 1, 1], expected, atol=2e-4, rtol=0.05)


def slow_assignment(attribution: Tensor, found: Clustering, support: float) -> Tensor:
    """The likeliest cluster, pixel by pixel; then, in each, the likeliest pixels up to the wanted evidence."""
    size, components = attribution.shape[-1], found.share.shape[1]
    steps = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    points = torch.stack([x, y], dim=2).reshape(-1, 2).double()
    joint = torch.stack(
        [
            torch.tensor(
                multivariate_normal(found.means[0, j].double(), found.covariances[0, j].double()).logpdf(points)
            )
            + found.share[0, j].double().log()
            for j in range(components)
        ]
    )
    likeliest, weights = joint.argmax(dim=0), attribution.clamp(min=0).flatten()
    assignment = torch.full((size * size,), -1, dtype=torch.int8)
    for j in range(components):
        members = sorted((likeliest == j).nonzero()[:, 0].tolist(), key=lambda i: -joint[j, i].item())
        whole, carried = weights[members].sum().item(), 0.0
        for i in members:
            if carried < support * whole:
                assignment[i] = j
            carried += weights[i].item()
    return assignment.reshape(size, size)


@pytest.mark.parametrize("support", [1.0, 0.9])
def test_pixels_go_to_their_likeliest_cluster_within_its_support(support: float) -> None:
    attribution = blobs(THREE, size=24)
    found = cluster(attribution, components=3, support=support)
    expected = slow_assignment(attribution[0], found, support)
    if support == 1:  # then every pixel is kept, also those behind the last evidence
        expected = torch.where(expected < 0, found.assignment[0], expected)
        assert (found.assignment >= 0).all()
    # Sums of evidence that reach the limit within rounding may keep one pixel more or less.
    assert (found.assignment[0] != expected).sum() <= 2
    assert (support == 1) or (found.assignment == -1).any()


def test_a_small_strong_spot_survives_sharpening() -> None:
    attribution = blobs([(0.5, 0.5, 0.3, 100.0), (0.9, 0.1, 0.02, 1.0)])
    nearest = [
        (cluster(attribution, components=2, sharpening=sharpening).means[0] - torch.tensor([0.9, 0.1]))
        .norm(dim=1)
        .min()
        for sharpening in (1.0, 2.0)
    ]
    assert nearest[1] < 0.02 < nearest[0]


def test_negative_evidence_counts_for_nothing() -> None:
    attribution = blobs(THREE)
    with_negative = attribution.clone()
    with_negative[0, :, 44:] -= 100
    plain = attribution.clone()
    plain[0, :, 44:] = 0
    assert torch.equal(cluster(with_negative).assignment, cluster(plain).assignment)


def test_the_scale_of_an_attribution_does_not_matter() -> None:
    attribution = blobs(THREE)
    small, large = cluster(attribution * 1e-30, sharpening=2.0), cluster(attribution * 1e10, sharpening=2.0)
    torch.testing.assert_close(small.means, large.means, atol=1e-4, rtol=1e-4)


def test_an_image_gets_the_same_clusters_alone_and_among_others() -> None:
    generator = torch.Generator().manual_seed(1)
    attribution = torch.cat([blobs(THREE), torch.rand(5, 48, 48, generator=generator) ** 6, blobs(THREE[:2])])
    together = cluster(attribution)
    for index in range(len(attribution)):
        alone = cluster(attribution[index : index + 1])
        torch.testing.assert_close(alone.means[0], together.means[index], atol=1e-3, rtol=1e-3)
        assert (alone.assignment[0] == together.assignment[index]).float().mean() > 0.99


def test_pooled_maps_give_nearly_the_same_clusters() -> None:
    full, pooled = cluster(blobs(THREE), components=3), cluster(blobs(THREE), components=3, pool=2)
    assert pooled.assignment.shape == full.assignment.shape
    torch.testing.assert_close(pooled.means, full.means, atol=0.01, rtol=0)


def test_an_image_without_positive_evidence_has_no_cluster() -> None:
    attribution = torch.stack([blobs(THREE)[0], -torch.ones(48, 48), torch.zeros(48, 48)])
    found = cluster(attribution)
    assert found.share[1:].sum() == 0
    assert (found.assignment[1:] == -1).all()
    assert found.share[0].sum() == pytest.approx(1, abs=1e-5)
    assert all(torch.isfinite(part).all() for part in (found.means, found.covariances, found.log_likelihood))


def test_a_single_bright_pixel_is_a_cluster_one_pixel_wide() -> None:
    attribution = torch.zeros(1, 28, 28)
    attribution[0, 3, 20] = 1.0
    found = cluster(attribution, components=1)
    assert found.means[0, 0].tolist() == pytest.approx([20.5 / 28, 3.5 / 28], abs=1e-4)
    assert found.covariances[0, 0].diagonal().tolist() == pytest.approx([1 / 12 / 28**2] * 2, rel=1e-3)


def test_clusters_come_with_the_largest_share_first_and_never_depend_on_chance() -> None:
    attribution = torch.rand(3, 30, 40, generator=torch.Generator().manual_seed(2)) ** 5
    first, again = cluster(attribution), cluster(attribution)
    assert (first.share.diff(dim=1) <= 0).all()
    assert all(torch.equal(a, b) for a, b in zip(vars(first).values(), vars(again).values(), strict=True))


def test_no_images_give_no_clusters() -> None:
    found = cluster(torch.zeros(0, 28, 28))
    assert found.assignment.shape == (0, 28, 28)
    assert found.share.shape == (0, 5)
