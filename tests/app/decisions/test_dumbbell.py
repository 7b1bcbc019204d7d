import pytest

from app.decisions.dumbbell import LEFT, RIGHT, WIDTH, dumbbell
from tests.app.decisions.test_acceptance import measured


def test_positions_are_linear_between_the_first_and_the_last_tick() -> None:
    plot = dumbbell(measured(0.8, 0.5, {"a": 0.5, "b": 1.0}), measured(0.8, 0.5, {"a": 0.75, "b": 0.9}))
    (first, start), *_, (last, end) = plot.ticks
    assert (first, last, end) == (LEFT, WIDTH - RIGHT, 100)
    for row in plot.rows:
        for value, x in ((row.before.value, row.x_before), (row.after.value, row.x_after)):
            assert value is not None
            assert x == pytest.approx(first + (last - first) * (100 * value - start) / (end - start))


def test_ticks_are_whole_percents_and_begin_under_the_lowest_interval() -> None:
    plot = dumbbell(measured(0.8, 0.5, {"a": 0.47}), measured(0.8, 0.5, {"a": 0.75}))
    assert [percent for _, percent in plot.ticks] == [20, 40, 60, 80, 100]


def test_groups_that_lost_are_never_hidden() -> None:
    plot = dumbbell(measured(0.8, 0.5, {"a": 0.9, "b": 0.5}), measured(0.8, 0.5, {"a": 0.8, "b": 0.7}))
    assert [row.name for row in plot.fallen] == ["a"]


def test_a_group_that_was_not_measured_before_has_no_line() -> None:
    (row,) = dumbbell(measured(0.8, 0.5, {}), measured(0.8, 0.5, {"new": 0.7})).rows
    assert (row.x_before, row.change) == (None, None)
    assert row.x_after is not None
