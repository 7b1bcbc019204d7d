"""What is chosen where the right cut is known, and each figure against a slow version."""

import pytest
import torch
from torch import Tensor

from worker.method.cluster_choice import Setting, agreement, compare_settings, deletion, settings
from worker.method.clustering import Clustering, cluster, with_support
from worker.method.halves import Halves, in_halves

SIDE = 32
BOX = (slice(2, 6), slice(2, 6))


def scene() -> tuple[Tensor, Tensor, Halves]:
    """Images with a small bright box that alone decides; a broad haze of weak evidence, another in each half."""
    generator = torch.Generator().manual_seed(0)
    images = 0.1 * torch.rand(6, 1, SIDE, SIDE, generator=generator)
    images[:, 0, *BOX] = 1.0
    hazes = [0.05 * torch.rand(6, SIDE, SIDE, generator=generator) for _ in range(2)]
    for haze in hazes:
        haze[:, *BOX] += 1.0
    return images, torch.zeros(6, dtype=torch.int64), Halves((hazes[0] + hazes[1]) / 2, hazes[0], hazes[1])


def by_the_box(images: Tensor) -> Tensor:
    seen = images[:, 0, *BOX].mean(dim=(1, 2))
    return torch.stack([8 * (seen - 0.5), torch.zeros_like(seen)], dim=1)


def test_the_setting_is_chosen_that_cuts_out_what_the_model_looks_at() -> None:
    images, labels, halves = scene()
    best = compare_settings(by_the_box, images, labels, halves, settings())[0].setting
    found = cluster(halves.whole, best.components, best.sharpening, best.support).assignment
    on_it = torch.stack([torch.isin(one, one[*BOX][one[*BOX] >= 0]) for one in found])
    assert on_it.float().mean() < 4 * 16 / SIDE**2
    assert on_it[:, *BOX].float().mean() > 0.9
    worst = compare_settings(by_the_box, images, labels, halves, settings())[-1]
    assert worst.setting != best


def test_what_is_given_is_not_varied() -> None:
    assert len(settings()) == 36
    assert {each.sharpening for each in settings(sharpening=1.5)} == {1.5}
    assert settings(2.0, 1.0, 5) == [Setting(2.0, 1.0, 5)]


def test_the_largest_effect_comes_first() -> None:
    images, labels, halves = scene()
    found = compare_settings(by_the_box, images, labels, halves, settings(support=0.95))
    assert len(found) == 12
    effects = [each.effect for each in found]
    assert effects == sorted(effects, reverse=True)
    assert 0 <= effects[-1] < effects[0] <= 1


def test_deletion_covers_the_densest_evidence_first_and_means_over_the_area() -> None:
    """One image of 10 x 10 pixels: clusters of 10 and of 20, each with a pixel that the model needs."""
    images = torch.ones(1, 1, 10, 10)
    images[0, 0, 0, 0] = images[0, 0, 5, 0] = 9.0

    def predict(some: Tensor) -> Tensor:
        needed = some[:, 0, 0, 0] + 2 * some[:, 0, 5, 0]
        return torch.stack([needed, torch.zeros_like(needed)], dim=1)

    inside = torch.zeros(1, 2, 10, 10, dtype=torch.bool)
    inside[0, 0, :1], inside[0, 1, 4:6] = True, True
    # Covered are 0, .1 and .3 of the area, and from there on 8 and 24 nats are lost: a mean over 0 to .4.
    expected = (0.1 * 8 / 2 + 0.2 * (8 + 24) / 2 + 0.1 * 24) / 0.4
    found = deletion(predict, images, torch.tensor([0]), inside, torch.tensor([[0.5, 0.5]]))
    assert found.item() == pytest.approx(expected, rel=0.01)
    # The other one first: .2 and .3 of the area, 16 and 24 nats.
    expected = (0.2 * 16 / 2 + 0.1 * (16 + 24) / 2 + 0.1 * 24) / 0.4
    found = deletion(predict, images, torch.tensor([0]), inside, torch.tensor([[0.1, 0.9]]))
    assert found.item() == pytest.approx(expected, rel=0.01)


def test_what_covering_makes_surer_counts_nothing() -> None:
    images, labels, _ = scene()
    inside = torch.zeros(6, 1, SIDE, SIDE, dtype=torch.bool)
    inside[:, 0, *BOX] = True
    found = deletion(lambda some: by_the_box(some).flip(1), images, labels, inside, torch.ones(6, 1))
    assert found.tolist() == [0.0] * 6
    assert (deletion(by_the_box, images, labels, inside, torch.ones(6, 1)) > 1).all()


def test_agreement_is_the_mean_best_overlap_by_share() -> None:
    def made(assignment: list[list[int]], share: list[float]) -> Clustering:
        empty = torch.zeros(1, 2, 2)
        return Clustering(empty, empty, torch.tensor([share]), torch.tensor([assignment]), torch.zeros(1))

    first = made([[0, 0, 1, 1], [0, 0, 1, -1]], [0.75, 0.25])
    second = made([[1, 1, 1, 0], [1, 1, 1, 0]], [0.4, 0.6])
    # Overlaps: (0, 0) none, (0, 1) 4 of 6, (1, 0) 1 of 4, (1, 1) 2 of 7.
    forwards, backwards = 0.75 * 4 / 6 + 0.25 * 2 / 7, 0.4 * 1 / 4 + 0.6 * 4 / 6
    assert agreement(first, second, 2).item() == pytest.approx((forwards + backwards) / 2)
    assert agreement(first, first, 2).item() == pytest.approx(1)


def test_another_support_gives_what_a_new_fit_would() -> None:
    attribution = torch.rand(2, 20, 20, generator=torch.Generator().manual_seed(3)).square()
    attribution[1] = 0
    fitted = cluster(attribution, 4, 2.0)
    for support in (0.8, 1.0):
        anew = cluster(attribution, 4, 2.0, support)
        assert torch.equal(with_support(fitted, attribution, 2.0, support).assignment, anew.assignment)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_the_halves_are_of_the_attribution_from_all_baselines(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    images, references = (torch.rand(n, 1, 4, 4, generator=generator) for n in (3, count))
    labels = torch.tensor([0, 1, 1])
    found = in_halves(net, images, labels, references, "integrated_gradients")
    alone = [in_halves(net, images, labels, each[None], "integrated_gradients").whole for each in references]
    torch.testing.assert_close(found.whole, torch.stack(alone).mean(dim=0))
    torch.testing.assert_close(found.first, torch.stack(alone[::2]).mean(dim=0))
    torch.testing.assert_close(found.second, torch.stack(alone[1::2] or alone).mean(dim=0))
