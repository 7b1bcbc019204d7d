from dataclasses import replace
from math import dist, log2

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from worker.method.looks import SCALES, Look, colours, gathered, kinds_by_look
from worker.method.summary import place

BLACK, WHITE, SKIN = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.8, 0.6, 0.5)


def look(
    x: float = 0.5,
    y: float = 0.5,
    spread: float = 0.05,
    area: float = 0.02,
    colour: tuple[float, float, float] = WHITE,
    ground: tuple[float, float, float] = BLACK,
) -> Look:
    return Look(place((x, y), spread), x, y, spread, area, colour, ground)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (look(0.1, 0.1), "a small bright area in the upper left corner"),
        (look(0.9, 0.5, colour=BLACK, ground=WHITE), "a small dark area in the right part"),
        (look(area=0.1, colour=BLACK), "an area in the middle"),
        (look(area=0.3, spread=0.3, colour=(0.5, 0.5, 0.5)), "a large bright area over a large part of the image"),
        (look(colour=(0.1, 0.5, 0.9), ground=SKIN), "a small dark blue area in the middle"),
        (look(colour=(0.62, 0.62, 0.62), ground=SKIN), "a small colourless area in the middle"),
        (look(colour=(0.5, 0.15, 0.1), ground=SKIN), "a small dark brown area in the middle"),
        (look(colour=SKIN, ground=SKIN), "a small area in the middle"),
        (look(colour=(0.2, 0.8, 0.3), ground=(0.5, 0.5, 0.5)), "a small green area in the middle"),
        (look(colour=(0.8, 0.1, 0.2), ground=(0.3, 0.3, 0.3)), "a small red area in the middle"),
        (look(colour=(0.9, 0.8, 0.1), ground=(0.3, 0.3, 0.3)), "a small bright yellow area in the middle"),
        (look(colour=(1.0, 0.65, 0.75), ground=(0.3, 0.3, 0.3)), "a small bright pink area in the middle"),
        (look(colour=(0.6, 0.2, 0.8), ground=(0.3, 0.3, 0.3)), "a small purple area in the middle"),
        (look(colour=(0.9, 0.3, 0.3), ground=(0.5, 0.5, 0.5)), "a small red area in the middle"),
    ],
)
def test_a_look_has_computed_words(seen: Look, words: str) -> None:
    assert kinds_by_look([seen], [1.0], ["a"]) == [words]


def test_what_looks_different_is_never_lumped_together() -> None:
    corner, middle, dark = look(0.1, 0.1), look(0.5, 0.5), look(0.5, 0.5, colour=BLACK, ground=WHITE)
    blue = look(0.5, 0.5, colour=(0.2, 0.3, 0.9))
    wide, large = look(0.5, 0.5, spread=0.3), look(0.5, 0.5, area=0.4)
    kinds = kinds_by_look([corner, middle, dark, blue, wide, large] * 3, [0.2] * 18, sorted("abc" * 6))
    assert len(set(kinds)) == 6
    assert kinds[:6] == kinds[6:12] == kinds[12:]


def test_one_kind_is_not_cut_in_two_where_the_name_of_a_place_ends() -> None:
    either_side = [look(0.37, 0.5), look(0.39, 0.5), look(0.41, 0.5), look(0.43, 0.5), look(0.44, 0.5)]
    assert len({each.place for each in either_side}) == 2
    assert set(kinds_by_look(either_side, [0.5] * 5, list("abcde"))) == {"a small bright area in or near the middle"}


def test_a_few_clusters_beside_a_place_do_not_change_its_name() -> None:
    inside, beside = look(0.43, 0.5), look(0.39, 0.5)
    assert set(kinds_by_look([inside] * 9 + [beside], [0.5] * 10, list("abcdefghij"))) == {
        "a small bright area in the middle"
    }


def test_a_kind_gathers_where_the_evidence_is_not_where_it_came_first() -> None:
    row = [look(0.25, 0.5), look(0.40, 0.5), look(0.53, 0.5), look(0.68, 0.5)]
    assert gathered(row, [0.1, 0.1, 0.9, 0.1]) == [0, 2, 2, 2]
    assert gathered(row, [0.9, 0.9, 0.1, 0.1]) == [1, 1, 1, 3]


def test_what_moves_from_corner_to_corner_is_one_kind() -> None:
    corners = [look(0.1, 0.1), look(0.9, 0.1), look(0.1, 0.9), look(0.9, 0.9)]
    assert set(kinds_by_look(corners * 3, [0.3] * 12, [str(image) for image in range(12)])) == {
        "a small bright area in one of the corners"
    }
    assert set(kinds_by_look(corners[:1] * 3, [0.3] * 3, list("abc"))) == {
        "a small bright area in the upper left corner"
    }


def test_what_is_in_two_corners_of_the_same_images_are_two_kinds() -> None:
    pair = [look(0.1, 0.1), look(0.9, 0.9)]
    assert kinds_by_look(pair * 3, [0.3] * 6, list("aabbcc")) == 3 * [
        "a small bright area in the upper left corner",
        "a small bright area in the lower right corner",
    ]
    # In one image of five together: it moves all the same.
    mostly_alone = [look(0.1, 0.1), *pair, look(0.1, 0.1), look(0.9, 0.9), look(0.9, 0.9)]
    assert len(set(kinds_by_look(mostly_alone, [0.3] * 6, list("abbcde")))) == 1
    assert len(set(kinds_by_look(mostly_alone[:-1], [0.3] * 5, list("abbcd")))) == 2


def test_what_differs_in_more_than_its_corner_does_not_move() -> None:
    different = [look(0.1, 0.1), look(0.9, 0.9, colour=BLACK, ground=WHITE)]
    assert len(set(kinds_by_look(different, [0.3] * 2, list("ab")))) == 2


def test_without_clusters_there_are_no_kinds() -> None:
    assert kinds_by_look([], [], []) == []


unit = st.floats(0, 1)
looks = st.builds(
    look, unit, unit, st.floats(0, 0.4), st.floats(0.001, 1), st.tuples(unit, unit, unit), st.tuples(unit, unit, unit)
)


seen_clusters = st.lists(st.tuples(looks, st.integers(0, 64)), min_size=1, max_size=10)


@settings(max_examples=50, deadline=None)
@given(seen_clusters)
def test_what_is_gathered_is_what_a_slow_version_gathers(seen: list[tuple[Look, int]]) -> None:
    points = [features(each) for each, _ in seen]
    distances = [dist(one, other) for one in points for other in points]
    assume(all(abs(distance - 1) > 1e-9 for distance in distances))  # which rounding decides
    found = gathered([each for each, _ in seen], [share / 64 for _, share in seen])
    middles = slow_middles(points, [share / 64 for _, share in seen])
    assert set(found) <= set(middles)
    for point, middle in zip(points, found, strict=True):
        nearest = min(dist(point, points[other]) for other in middles)
        assert dist(point, points[middle]) == pytest.approx(nearest, abs=1e-9)
        assert nearest <= 1


@settings(max_examples=50, deadline=None)
@given(seen_clusters)
def test_kinds_have_words_of_their_own(seen: list[tuple[Look, int]]) -> None:
    clusters, shares = [each for each, _ in seen], [share / 64 for _, share in seen]
    images = [str(index // 2) for index in range(len(seen))]
    words: dict[int, set[str]] = {}
    for middle, said in zip(gathered(clusters, shares), kinds_by_look(clusters, shares, images), strict=True):
        words.setdefault(middle, set()).add(said)
    assert all(len(said) == 1 for said in words.values())


def slow_middles(points: list[list[float]], shares: list[float]) -> list[int]:
    """Around which clusters the kinds gather, by loops."""
    left, middles = list(range(len(points))), []
    while left:
        near = {index: [other for other in left if dist(points[index], points[other]) <= 1] for index in left}
        middles.append(
            max(left, key=lambda index: (sum(shares[other] for other in near[index]), shares[index], -index))
        )
        left = [index for index in left if index not in near[middles[-1]]]
    return middles


def features(each: Look) -> list[float]:
    red, green, blue = (mine - other for mine, other in zip(each.colour, each.ground, strict=True))
    brighter = 0.299 * red + 0.587 * green + 0.114 * blue
    values = (each.x, each.y, each.spread, log2(each.area), brighter, red - green, (red + green) / 2 - blue)
    return [value / scale for value, scale in zip(values, SCALES.tolist(), strict=True)]


def test_a_colour_is_that_under_the_evidence_and_the_ground_that_of_most_pixels() -> None:
    picture = np.full((4, 4, 3), 0.2)
    picture[0, 0], picture[0, 1], picture[3, 3] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    weights = np.zeros((4, 4))
    weights[0, 0], weights[0, 1], weights[3, 3] = 0.6, 0.2, 0.2
    assignment = np.zeros((4, 4), np.uint8)
    assignment[0, :2], assignment[2, 2], assignment[3, 3] = 1, 2, 3
    found, ground = colours(picture, weights, assignment)
    assert found.keys() == {1, 3}  # the second has no evidence
    assert found[1] == pytest.approx((0.75, 0.25, 0))
    assert found[3] == pytest.approx((0, 0, 1))
    assert ground == pytest.approx((0.2, 0.2, 0.2))


def test_a_colour_is_told_beside_that_of_its_picture() -> None:
    brown = look(colour=(0.4, 0.25, 0.15), ground=(0.4, 0.25, 0.15))
    assert kinds_by_look([brown], [1.0], ["a"]) == ["a small area in the middle"]
    assert kinds_by_look([replace(brown, ground=WHITE)], [1.0], ["a"]) == ["a small dark brown area in the middle"]
