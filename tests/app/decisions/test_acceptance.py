import pytest

from app.decisions.acceptance import lines
from app.models.figures import Estimate, Figures, Group
from app.runs.parameters import AcceptanceBar
from tests.measured import estimate

BAR = AcceptanceBar(
    worst_group_rises=0.15, accuracy_falls_at_most=0.02, group_falls_at_most=0.05, answers_flip_at_most=0.10
)


def measured(accuracy: float, worst: float | None, groups: dict[str, float], flipped: float | None = None) -> Figures:
    nothing = Estimate(missing="too few images")
    return Figures.model_validate(
        {
            "accuracy": estimate(accuracy, 100),
            "groups": [
                Group(name=name, class_name=name, accuracy=estimate(value, 50)) for name, value in groups.items()
            ],
            "worst_group": nothing if worst is None else estimate(worst, 50),
            "worst_group_name": "",
            "average_of_groups": nothing,
            "mu_align": nothing,
            "evidence_on_spurious": nothing,
            "settling": []
            if flipped is None
            else [
                {"operation": "remove", "regions": "true masks", "flipped": estimate(0.9, 10)},
                {"operation": "remove", "regions": "clusters that stand as spurious", "flipped": estimate(flipped, 50)},
            ],
        }
    )


def test_a_bar_that_is_reached_exactly_is_met() -> None:
    before = measured(0.80, 0.40, {"a": 0.90, "b": 0.40})
    after = measured(0.78, 0.55, {"a": 0.85, "b": 0.55}, flipped=0.10)
    assert [line.met for line in lines(BAR, before, after)] == [True, True, True, True]


def test_each_line_fails_alone() -> None:
    before = measured(0.80, 0.40, {"a": 0.90, "b": 0.40})
    after = measured(0.77, 0.54, {"a": 0.84, "b": 0.54}, flipped=0.11)
    found = lines(BAR, before, after)
    assert [line.met for line in found] == [False, False, False, False]
    assert [line.came for line in found] == pytest.approx([0.14, -0.03, -0.06, 0.11])
    assert found[2].why == "a"


def test_what_was_not_measured_is_neither_met_nor_missed_and_says_why() -> None:
    found = lines(BAR, measured(0.8, None, {}), measured(0.8, 0.5, {"a": 0.9}))
    assert [line.met for line in found] == [None, True, None, None]
    assert found[0].why == "before: too few images"
    assert found[2].why == "no group was measured both before and after"
    assert found[3].why == "the removal was not measured"


def test_the_regions_judged_spurious_count_before_true_masks() -> None:
    found = lines(BAR, measured(0.8, 0.4, {}), measured(0.8, 0.6, {}, flipped=0.05))
    assert found[3].came == pytest.approx(0.05)
