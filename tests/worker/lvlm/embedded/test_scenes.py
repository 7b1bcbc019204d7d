import numpy as np
import pytest
import torch

from worker.lvlm.embedded import pupils, scenes
from worker.lvlm.embedded.pupils import draw_scenes, drawn_digits, network_for_digits, with_squares
from worker.lvlm.embedded.scenes import (
    COPIES,
    Pictures,
    Scene,
    Way,
    _renumbered,
    as_input,
    beside,
    explained,
    on_the_artefact,
    varied,
)
from worker.method.attribution import attribute
from worker.method.clustering import cluster

WAY = Way(5, 1.0, 0.95)


def some(decoys: str, count: int = 40) -> Pictures:
    return drawn_digits(count, decoys, np.random.default_rng(0))


def test_the_decoy_of_decoymnist_stands_in_a_corner_and_tells_the_label() -> None:
    digits = some("label")
    for image, label, square in zip(digits.images, digits.labels, digits.artefact, strict=True):
        assert square.sum() == 16
        assert set(image[square]) == {255 - 25 * label}
        assert sum(square[row, column] for row in (0, 27) for column in (0, 27)) == 1


def test_random_squares_tell_nothing_and_others_stand_anywhere() -> None:
    assert (
        len(
            {
                int(image[square][0])
                for image, square in zip(some("random").images, some("random").artefact, strict=True)
            }
        )
        > 20
    )
    anywhere = some("anywhere").artefact
    assert {int(square.sum()) for square in anywhere} == {9, 16, 25, 36}
    assert not some("none").artefact.any()


def test_squares_leave_the_digits_given_untouched() -> None:
    plain = np.zeros((3, 28, 28), dtype=np.uint8)
    with_squares(plain, np.arange(3), "label", np.random.default_rng(0))
    assert not plain.any()


def test_a_network_that_met_telling_squares_bases_some_decisions_on_them() -> None:
    digits = some("label", 600)
    network = network_for_digits(digits, seed=0, epochs=8)
    found = explained(network, drawn_digits(40, "label", np.random.default_rng(1)), digits.images[:8], WAY)
    assert sum(max(scene.artefact) >= 0.5 for scene in found) >= 4


def test_networks_of_one_seed_are_equal() -> None:
    one, other = (network_for_digits(some("label", 100), seed=3, epochs=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_scene_counts_the_evidence_of_each_cluster_as_by_hand() -> None:
    digits = some("label", 12)
    network = network_for_digits(digits, seed=0, epochs=2)
    found = explained(network, digits, digits.images[:4], WAY)
    attribution = attribute(
        network, as_input(digits.images), torch.from_numpy(digits.labels), as_input(digits.images[:4]), "deeplift_shap"
    )
    assignment = cluster(attribution, 5, 1.0, 0.95).assignment.numpy()
    for index, scene in enumerate(found):
        assert np.array_equal(scene.assignment, assignment[index])
        positive = attribution[index].clamp(min=0).numpy()
        for number in range(5):
            own = positive[assignment[index] == number]
            on_square = positive[(assignment[index] == number) & digits.artefact[index]]
            assert scene.artefact[number] == pytest.approx(on_square.sum() / max(own.sum(), 1e-12), abs=1e-4)


def test_beside_adds_the_four_neighbours() -> None:
    pixels = np.zeros((5, 5), dtype=np.bool_)
    pixels[0, 0] = pixels[3, 3] = True
    assert {tuple(at) for at in np.argwhere(beside(pixels))} == {
        *((0, 0), (0, 1), (1, 0)),
        *((3, 3), (2, 3), (4, 3), (3, 2), (3, 4)),
    }


def test_those_with_a_cluster_on_the_artefact_come_thrice_and_shares_stay_shares(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scenes, "MERGED", 0.5)
    given = pupils.digit_scenes(22, np.random.default_rng(0), (("label", "label"), ("none", "random")))
    assert len(given) == 22
    found = varied(given, np.random.default_rng(0))
    rare = sum(on_the_artefact(scene) for scene in found)
    assert rare > 0
    assert rare % COPIES == 0
    assert len(found) == 22 + rare * (COPIES - 1) // COPIES
    for scene in found:
        assert scene.assignment.max() < 6
        assert all(0 <= share <= 1.001 for share in (*scene.artefact, *scene.core))


def test_scenes_of_all_domains_are_drawn_with_evidence_on_what_their_networks_use() -> None:
    found = draw_scenes(9, np.random.default_rng(0))
    assert {scene.domain for scene in found} == {"digits", "radiograph", "skin"}
    assert all(scene.image.ndim == (3 if scene.domain == "skin" else 2) for scene in found)
    for scene in found:
        assert scene.assignment.shape == scene.image.shape[:2] == scene.core_pixels.shape
        assert not (scene.artefact_pixels & scene.core_pixels).any()
        assert all(a + c <= 1.001 for a, c in zip(scene.artefact, scene.core, strict=True))


def test_no_network_learns_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[pupils.Pupil] = []

    def noted(pupil: pupils.Pupil, pictures: Pictures, seed: int) -> torch.nn.Module:
        learned.append(pupil)
        return network(pupil, pictures, seed)

    network = pupils.network_for_photographs
    monkeypatch.setattr(pupils, "network_for_photographs", noted)
    assert len(pupils.photograph_scenes("skin", 2, np.random.default_rng(0))) == 2
    assert learned == [pupils.PUPILS[1], pupils.PUPILS[3]]


def test_a_side_marker_is_the_box_around_its_letters() -> None:
    found = pupils.drawn_photographs("radiograph", 6, (1.0, 1.0), 72, np.random.default_rng(0))
    for mask in found.artefact:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)


def test_renumbered_clusters_keep_their_pixels_and_shares() -> None:
    digits = some("label", 6)
    scene = explained(network_for_digits(digits, seed=0, epochs=1), digits, digits.images[:4], WAY)[0]
    other = _renumbered(scene, np.random.default_rng(1))
    assert not np.array_equal(other.assignment, scene.assignment)

    def known(of: Scene) -> list[tuple[float, float, bytes]]:
        return sorted((of.artefact[n], of.core[n], (of.assignment == n).tobytes()) for n in range(5))

    assert known(other) == known(scene)
