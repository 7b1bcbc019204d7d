import numpy as np
import pytest

from worker.lvlm.check import DOMAINS, Domain, plant
from worker.lvlm.check.planting import blank, swapped, with_writing


@pytest.mark.parametrize("domain", DOMAINS)
def test_clusters_lie_where_their_truth_says(domain: Domain) -> None:
    for index in range(3):
        planted = plant(domain, index, seed=1)
        changed = (planted.image != planted.bare).reshape(*planted.assignment.shape, -1).any(axis=2)
        shares = {
            thing: float(changed[planted.assignment == number].mean()) for number, thing in enumerate(planted.things)
        }
        assert sorted(planted.things) == ["artefact", "core", "core", "elsewhere"]
        assert shares["artefact"] > 0.7
        assert shares["core"] == shares["elsewhere"] == 0
        halves = [
            (planted.assignment == number).sum() for number, thing in enumerate(planted.things) if thing == "core"
        ]
        assert max(halves) <= 2 * min(halves)


def test_the_same_seed_draws_the_same_picture_and_another_seed_another() -> None:
    first, again, other = (plant("skin", 2, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.assignment, again.assignment)
    assert first.things == again.things
    assert not np.array_equal(first.image, other.image)


def test_a_number_says_nothing_of_what_its_cluster_covers() -> None:
    places = {plant("digits", index, seed=0).things.index("artefact") for index in range(12)}
    assert places == {0, 1, 2, 3}


def test_exchanged_numbers_leave_picture_and_clusters_as_they_are() -> None:
    planted = plant("digits", 0, seed=0)
    other = swapped(planted)
    artefact = planted.assignment == planted.things.index("artefact")
    assert np.array_equal(artefact, other.assignment == other.things.index("artefact"))
    assert planted.things.index("artefact") != other.things.index("artefact")
    assert np.array_equal(planted.assignment >= 0, other.assignment >= 0)
    assert np.array_equal(swapped(other).assignment, planted.assignment)


def test_a_blank_picture_has_one_value() -> None:
    planted = plant("digits", 0, seed=0)
    assert blank(planted).shape == planted.image.shape
    assert len(np.unique(blank(planted))) == 1


def test_writing_spares_the_artefact() -> None:
    for index in range(6):
        planted = plant("digits", index, seed=0)
        written = np.asarray(with_writing(planted, "THIS SIDE UP"))
        plain = np.kron(planted.image, np.ones((12, 12), dtype=np.uint8))
        changed = (written != plain[..., None]).any(axis=2)
        artefact = np.kron(planted.assignment == planted.things.index("artefact"), np.ones((12, 12))) > 0
        assert changed.any()
        assert not changed[artefact].any()
