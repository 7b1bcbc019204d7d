import numpy as np
import pytest

from worker.datasets.synthetic.shapes import (
    Stroke,
    closed_spline,
    ellipse,
    filled,
    open_spline,
    rotation,
    stroked,
)

HEXAGON = ellipse((0.5, 0.5), (0.3, 0.3), points=6)


@pytest.mark.parametrize("spline", [closed_spline, open_spline])
def test_a_spline_goes_through_its_points(spline) -> None:
    line = spline(HEXAGON)
    for point in HEXAGON:
        assert np.linalg.norm(line - point, axis=1).min() < 1e-12


def test_a_closed_spline_through_a_hexagon_is_nearly_round() -> None:
    distance = np.linalg.norm(closed_spline(HEXAGON) - 0.5, axis=1)
    assert distance.min() > 0.95 * 0.3
    assert distance.max() < 1.01 * 0.3


def test_moving_a_point_moves_only_the_four_stretches_beside_it() -> None:
    points = ellipse((0.5, 0.5), (0.3, 0.3), points=12)
    moved = points.copy()
    moved[6] += 0.1
    changed = (closed_spline(points) != closed_spline(moved)).any(axis=1)
    stretches = changed.reshape(12, -1).any(axis=1)
    assert np.flatnonzero(stretches).tolist() == [4, 5, 6, 7]


def test_rotation_turns_right_to_down() -> None:
    # y grows downwards, so a positive angle turns clockwise on the screen.
    assert np.allclose(rotation(np.pi / 2) @ (1, 0), (0, 1))


@pytest.mark.parametrize("size", [64, 200])
def test_a_filled_ellipse_covers_its_area(size: int) -> None:
    cover = filled([ellipse((0.5, 0.5), (0.3, 0.2))], size)
    assert cover.dtype == np.float32
    assert cover.shape == (size, size)
    assert float(cover.mean()) == pytest.approx(np.pi * 0.3 * 0.2, rel=0.04)


def test_what_lies_outside_is_cut_off() -> None:
    half = filled([ellipse((0.0, 0.5), (0.3, 0.2))], 100)
    assert float(half.mean()) == pytest.approx(np.pi * 0.3 * 0.2 / 2, rel=0.06)
    assert not half[:, 35:].any()


def test_a_stroke_has_its_width_and_value() -> None:
    line = stroked([Stroke(np.array([(-0.1, 0.5), (1.1, 0.5)]), 0.1, 0.6)], 100)
    assert float(line[:, 50].sum()) == pytest.approx(0.6 * 10, rel=0.05)
    assert float(line.max()) == pytest.approx(0.6, abs=0.005)


def test_a_later_stroke_lies_on_an_earlier_one() -> None:
    across = np.array([(0.0, 0.5), (1.0, 0.5)])
    line = stroked([Stroke(across, 0.2, 0.9), Stroke(across, 0.1, 0.3)], 100)
    assert float(line[50, 50]) == pytest.approx(0.3, abs=0.005)
    assert float(line[42, 50]) == pytest.approx(0.9, abs=0.005)
