import math

import pytest
import torch
from torch import Tensor

from worker.method.cluster_features import FEATURES, LEAST_CROP, cluster_features, crops
from worker.method.clustering import Clustering, cluster

SIZE = 40


def hills(*places: tuple[float, float, float]) -> Tensor:
    """An attribution with a round hill at each (x, y) of a standard deviation: (1, SIZE, SIZE)."""
    steps = (torch.arange(SIZE) + 0.5) / SIZE
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * s**2)) for cx, cy, s in places]).sum(0)[None]


def described(images: Tensor, phi: Tensor, components: int = 1, **how: float) -> tuple[dict[str, Tensor], Clustering]:
    clustering = cluster(phi, components, **how)
    found = cluster_features(images, phi, clustering, how.get("sharpening", 1.0))
    assert found.shape == (len(images), components, len(FEATURES))
    return {name: found[..., number] for number, name in enumerate(FEATURES)}, clustering


def test_place_spread_and_share_are_those_of_the_cluster() -> None:
    found, clustering = described(torch.zeros(1, 1, SIZE, SIZE), hills((0.2, 0.3, 0.04), (0.8, 0.7, 0.08)), 2)
    small = int(clustering.means[0, :, 0].argmin())
    values = {name: float(found[name][0, small]) for name in FEATURES}
    assert values["x"] == pytest.approx(0.2, abs=0.01)
    assert values["y"] == pytest.approx(0.3, abs=0.01)
    assert values["from_vertical_middle"] == pytest.approx(0.3, abs=0.01)
    assert values["from_horizontal_middle"] == pytest.approx(0.2, abs=0.01)
    assert values["from_centre"] == pytest.approx(math.hypot(0.3, 0.2), abs=0.01)
    assert values["from_edge"] == pytest.approx(0.2, abs=0.01)
    assert values["from_corner"] == pytest.approx(math.hypot(0.2, 0.3), abs=0.01)
    assert math.exp(values["log_length"]) == pytest.approx(0.04, rel=0.1)
    assert values["log_elongation"] == pytest.approx(0, abs=0.1)
    assert math.exp(values["log_share"]) == pytest.approx(0.2, abs=0.02)
    area = (clustering.assignment[0] == small).float().mean()
    assert math.exp(values["log_area"]) == pytest.approx(float(area), abs=0.001)
    assert math.exp(values["log_density"]) == pytest.approx(0.2 / float(area), rel=0.1)


def test_a_bar_is_longer_than_wide() -> None:
    phi = torch.zeros(1, SIZE, SIZE)
    phi[0, 18:20, 5:35] = 1
    found, _ = described(torch.zeros(1, 1, SIZE, SIZE), phi)
    assert found["log_elongation"].item() > 1.5


def test_brightness_is_weighted_by_the_evidence_pixel_by_pixel() -> None:
    generator = torch.Generator().manual_seed(0)
    images, phi = torch.rand(2, 3, SIZE, SIZE, generator=generator), torch.rand(2, SIZE, SIZE, generator=generator)
    found, clustering = described(images, phi, 3, sharpening=2.0, support=0.9)
    brightness = images.mean(dim=1)
    for image in range(2):
        for j in range(3):
            member = clustering.assignment[image] == j
            weight = phi[image][member] ** 2 / (phi[image][member] ** 2).sum()
            values = brightness[image][member]
            mean = (weight * values).sum()
            assert found["brightness_mean"][image, j] == pytest.approx(float(mean), abs=1e-4)
            deviation = (weight * (values - mean) ** 2).sum().sqrt()
            assert found["brightness_deviation"][image, j] == pytest.approx(float(deviation), abs=1e-3)
            largest = values[weight >= 0.1 * weight.max()].max()
            assert found["brightness_largest"][image, j] == pytest.approx(float(largest))
            beyond = mean - brightness[image].mean()
            assert found["brightness_beyond_picture"][image, j] == pytest.approx(float(beyond), abs=1e-4)


def test_a_bright_square_stands_out_from_its_surroundings_and_a_bright_picture_does_not() -> None:
    images = torch.zeros(2, 1, SIZE, SIZE)
    images[0, :, 18:23, 18:23] = 1
    images[1, :, :, :] = 1
    images[1, :, :, :2] = 0
    phi = hills((0.5, 0.5, 0.05)).expand(2, -1, -1)
    found, _ = described(images, phi)
    assert found["brightness_beyond_surroundings"][0] > 0.5
    assert found["brightness_beyond_surroundings"][1].abs() < 0.01
    assert found["edges_mean"][0] > 0.05
    assert found["edges_mean"][1] < 1e-6


def test_a_red_patch_is_red_and_colourful_and_a_grey_picture_has_no_colour() -> None:
    red = torch.full((1, 3, SIZE, SIZE), 0.2)
    red[:, 0, 15:25, 15:25] = 0.8
    phi = hills((0.5, 0.5, 0.05))
    found, _ = described(red, phi)
    assert found["first_channel_mean"] > 0.3
    assert found["second_channel_mean"] < 0
    assert found["colourfulness_beyond_picture"] > 0.4
    grey, _ = described(torch.rand(1, 1, SIZE, SIZE), phi)
    assert all(grey[name].abs().max() < 1e-6 for name in FEATURES if "channel" in name or "colourful" in name)


def test_grey_and_the_same_grey_in_three_channels_are_described_alike() -> None:
    images, phi = torch.rand(1, 1, SIZE, SIZE), hills((0.3, 0.5, 0.05))
    clustering = cluster(phi, 1)
    one, three = (cluster_features(it, phi, clustering) for it in (images, images.expand(-1, 3, -1, -1)))
    torch.testing.assert_close(one, three, atol=1e-6, rtol=0)


def test_an_image_without_evidence_gives_finite_numbers() -> None:
    phi = torch.zeros(1, SIZE, SIZE)
    found = cluster_features(torch.rand(1, 3, SIZE, SIZE), phi, cluster(phi, 2))
    assert found.isfinite().all()


def test_a_crop_shows_the_cluster_enlarged() -> None:
    images = torch.zeros(1, 1, SIZE, SIZE)
    images[:, :, 6:10, 26:30] = 1  # around (.7, .2)
    phi = hills((0.7, 0.2, 0.03), (0.3, 0.7, 0.03))
    clustering = cluster(phi, 2)
    cut = crops(images, clustering, 24)
    assert cut.shape == (1, 2, 1, 24, 24)
    there = int(clustering.means[0, :, 0].argmax())
    bright = cut[0, there, 0] > 0.5
    side = 2 * max(LEAST_CROP, 2 * 0.03 + 0.04) * SIZE  # pixels of the picture that the crop shows
    assert float(bright.float().mean()) == pytest.approx((4 / side) ** 2, rel=0.25)
    rows, columns = bright.nonzero().double().mean(dim=0).tolist()
    assert (rows, columns) == (pytest.approx(11.5, abs=1.5), pytest.approx(11.5, abs=1.5))
    assert cut[0, 1 - there].max() < 0.01


def test_a_crop_at_the_edge_repeats_the_last_pixels() -> None:
    images = torch.ones(1, 3, SIZE, SIZE)
    clustering = cluster(hills((0.02, 0.5, 0.03)), 1)
    torch.testing.assert_close(crops(images, clustering, 10), torch.ones(1, 1, 3, 10, 10))
