import numpy as np
import pytest
import torch

from worker.lvlm.embedded.scenes import (
    COPIES,
    Digits,
    Scene,
    _renumbered,
    as_input,
    beside,
    draw_scenes,
    drawn,
    explained,
    on_the_square,
    trained_network,
    with_squares,
)
from worker.method.attribution import attribute
from worker.method.clustering import cluster


def some(decoys: str, count: int = 40) -> Digits:
    return drawn(count, decoys, np.random.default_rng(0))


def test_the_decoy_of_decoymnist_stands_in_a_corner_and_tells_the_label() -> None:
    digits = some("label")
    for image, label, square in zip(digits.images, digits.labels, digits.squares, strict=True):
        assert square.sum() == 16
        assert set(image[square]) == {255 - 25 * label}
        assert sum(square[row, column] for row in (0, 27) for column in (0, 27)) == 1


def test_random_squares_tell_nothing_and_others_stand_anywhere() -> None:
    assert (
        len(
            {int(image[square][0]) for image, square in zip(some("random").images, some("random").squares, strict=True)}
        )
        > 20
    )
    anywhere = some("anywhere").squares
    assert {int(square.sum()) for square in anywhere} == {9, 16, 25, 36}
    assert not some("none").squares.any()


def test_squares_leave_the_digits_given_untouched() -> None:
    plain = np.zeros((3, 28, 28), dtype=np.uint8)
    with_squares(plain, np.arange(3), "label", np.random.default_rng(0))
    assert not plain.any()


def test_a_network_that_met_telling_squares_bases_some_decisions_on_them() -> None:
    digits = some("label", 600)
    network = trained_network(digits, seed=0, epochs=8)
    scenes = explained(network, drawn(40, "label", np.random.default_rng(1)), digits.images[:8], 5, 1.0, 0.95)
    assert sum(max(scene.square) >= 0.5 for scene in scenes) >= 4


def test_networks_of_one_seed_are_equal() -> None:
    one, other = (trained_network(some("label", 100), seed=3, epochs=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_scene_counts_the_evidence_of_each_cluster_as_by_hand() -> None:
    digits = some("label", 12)
    network = trained_network(digits, seed=0, epochs=2)
    scenes = explained(network, digits, digits.images[:4], 5, 1.0, 0.95)
    attribution = attribute(
        network, as_input(digits.images), torch.from_numpy(digits.labels), as_input(digits.images[:4]), "deeplift_shap"
    )
    assignment = cluster(attribution, 5, 1.0, 0.95).assignment.numpy()
    for index, scene in enumerate(scenes):
        assert np.array_equal(scene.assignment, assignment[index])
        positive = attribution[index].clamp(min=0).numpy()
        for number in range(5):
            own = positive[assignment[index] == number]
            on_square = positive[(assignment[index] == number) & digits.squares[index]]
            assert scene.square[number] == pytest.approx(on_square.sum() / max(own.sum(), 1e-12), abs=1e-4)


def test_beside_adds_the_four_neighbours() -> None:
    pixels = np.zeros((5, 5), dtype=np.bool_)
    pixels[0, 0] = pixels[3, 3] = True
    assert {tuple(at) for at in np.argwhere(beside(pixels))} == {
        *((0, 0), (0, 1), (1, 0)),
        *((3, 3), (2, 3), (4, 3), (3, 2), (3, 4)),
    }


def test_as_many_scenes_are_drawn_as_asked_for_and_those_with_a_square_cluster_thrice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.lvlm.embedded.scenes.TRAINING_DIGITS", 60)
    monkeypatch.setattr("worker.lvlm.embedded.scenes.MERGED", 0.5)
    scenes = draw_scenes(22, np.random.default_rng(0), (("label", "label"), ("none", "random")))
    rare = sum(on_the_square(scene) for scene in scenes)
    assert rare > 0
    assert rare % COPIES == 0
    assert len(scenes) == 22 + rare * (COPIES - 1) // COPIES
    for scene in scenes:
        assert scene.assignment.max() < 6
        assert all(0 <= share <= 1.001 for share in (*scene.square, *scene.ink))


def test_renumbered_clusters_keep_their_pixels_and_shares() -> None:
    digits = some("label", 6)
    scene = explained(trained_network(digits, seed=0, epochs=1), digits, digits.images[:4], 5, 1.0, 0.95)[0]
    other = _renumbered(scene, np.random.default_rng(1))
    assert not np.array_equal(other.assignment, scene.assignment)

    def known(of: Scene) -> list[tuple[float, float, bytes]]:
        return sorted((of.square[n], of.ink[n], (of.assignment == n).tobytes()) for n in range(5))

    assert known(other) == known(scene)
