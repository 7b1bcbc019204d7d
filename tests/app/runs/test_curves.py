from app.models import Epoch
from app.runs.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, curves_of


def epochs(*figures: dict[str, object]) -> list[Epoch]:
    return [Epoch(number=number, figures=each) for number, each in enumerate(figures, start=1)]


def test_known_figures_come_in_their_order_and_others_stay_with_the_engineer() -> None:
    curves = curves_of(epochs({"validation_n": 400, "accuracy": 0.5, "loss": 2.0}))
    assert [curve.title for curve in curves] == ["Loss", "Right answers in training"]


def test_the_control_is_a_line_of_its_own_over_the_same_epochs() -> None:
    both = [{"arm": arm, "epoch": epoch, "loss": 1.0} for arm in ("consistency", "control") for epoch in (1, 2)]
    (curve,) = curves_of(epochs(*both))
    assert [line.name for line in curve.lines] == ["", "without correction"]
    assert [point.epoch for point in curve.lines[1].points] == [1, 2]
    assert (curve.first, curve.last) == (1, 2)
    assert "without correction: 1 after epoch 1" in curve.summary


def test_shares_run_from_0_to_100_percent_so_that_a_fall_looks_as_large_as_it_is() -> None:
    (curve,) = curves_of(epochs({"accuracy": 1.0}, {"accuracy": 0.5}, {"accuracy": 0.0}))
    assert [tick.word for tick in curve.ticks] == ["0 %", "50 %", "100 %"]
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    assert [(point.x, point.y) for point in curve.lines[0].points] == [
        (LEFT, TOP),
        ((LEFT + WIDTH - RIGHT) / 2, middle),
        (WIDTH - RIGHT, HEIGHT - BOTTOM),
    ]


def test_amounts_run_from_0_to_the_largest() -> None:
    (curve,) = curves_of(epochs({"loss": 4.0}, {"loss": 1.0}))
    assert [tick.word for tick in curve.ticks] == ["0", "2", "4"]
    assert curve.lines[0].points[0].y == TOP


def test_what_is_no_number_is_left_out() -> None:
    assert curves_of(epochs({"loss": float("nan"), "note": "text", "flag": True, "none": None})) == []
    (curve,) = curves_of(epochs({"loss": 1.0}, {"loss": float("inf")}, {}, {"loss": 0.0}))
    assert [point.epoch for point in curve.lines[0].points] == [1, 4]


def test_one_point_stands_in_the_middle_and_zeros_are_no_trouble() -> None:
    (curve,) = curves_of(epochs({"loss": 0.0}))
    assert curve.lines[0].points[0].x == (LEFT + WIDTH - RIGHT) / 2
    assert curve.lines[0].points[0].y == HEIGHT - BOTTOM


def test_no_epochs_give_no_curves() -> None:
    assert curves_of([]) == []


def test_the_epoch_that_is_delivered_is_marked() -> None:
    found = epochs({"loss": 4.0}, {"loss": 2.0}, {"loss": 1.0})
    (curve,) = curves_of(found, 2)
    assert curve.chosen == curve.lines[0].points[1].x
    assert "Epoch 2 is delivered." in curve.summary
    assert curves_of(found)[0].chosen is None
