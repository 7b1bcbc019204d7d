import pytest

from app.decisions import acceptance
from app.decisions.acceptance import Owed, lines
from app.languages.catalogue import reading_in
from app.models.figures import Estimate, Figures, Group, Settling
from app.runs.parameters import AcceptanceBar
from tests.measured import estimate, guard_record
from worker.method import guard

BAR = AcceptanceBar(
    worst_group_rises=0.15,
    accuracy_falls_at_most=0.02,
    group_falls_at_most=0.05,
    agreement_rises=0.20,
    answers_flip_at_most=0.10,
)


CLUSTERS = "clusters that stand as spurious"


def measured(
    accuracy: float,
    worst: float | None,
    groups: dict[str, float],
    flipped: float | None = None,
    added: float | None = None,
    attributes: bool = True,
) -> Figures:
    """flipped: when the regions are taken away, of 50 answers; added: when one is added, of 100."""
    nothing = Estimate(missing="too few images")
    known = {"letter": "present"} if attributes else {}
    settling = [Settling(operation="remove", regions="true masks", flipped=estimate(0.9, 10))]
    for operation, value, n in (("remove", flipped, 50), ("add", added, 100)):
        if value is not None:
            settling.append(Settling(operation=operation, regions=CLUSTERS, flipped=estimate(value, n)))
    return Figures(
        accuracy=estimate(accuracy, 100),
        groups=[
            Group(
                name=name, class_name="healthy" if attributes else name, attributes=known, accuracy=estimate(value, 50)
            )
            for name, value in groups.items()
        ],
        worst_group=nothing if worst is None else estimate(worst, 50),
        worst_group_name="",
        average_of_groups=nothing,
        mu_align=nothing,
        evidence_on_spurious=nothing,
        settling=[] if flipped is None else settling,
    )


def test_a_bar_that_is_reached_exactly_is_met() -> None:
    before = measured(0.80, 0.40, {"a": 0.90, "b": 0.40}, flipped=0.3, added=0.3)
    after = measured(0.78, 0.55, {"a": 0.85, "b": 0.55}, flipped=0.10, added=0.10)
    assert [line.met for line in lines(BAR, before, after)] == [True, True, True, True, True]


def test_each_line_fails_alone() -> None:
    before = measured(0.80, 0.40, {"a": 0.90, "b": 0.40}, flipped=0.3, added=0.3)
    after = measured(0.77, 0.54, {"a": 0.84, "b": 0.54}, flipped=0.12, added=0.12)
    found = lines(BAR, before, after)
    assert [line.met for line in found] == [False, False, False, False, False]
    assert [line.came for line in found] == pytest.approx([0.14, -0.03, -0.06, 0.18, 0.12])
    assert found[2].why == "a"


def test_every_line_tells_before_and_after_with_their_n() -> None:
    before = measured(0.80, 0.40, {"a": 0.90, "b": 0.40}, flipped=0.3, added=0.3)
    after = measured(0.78, 0.55, {"a": 0.85, "b": 0.55}, flipped=0.10, added=0.10)
    told = [(line.before, line.after) for line in lines(BAR, before, after)]
    assert [(then.n, now.n) for then, now in told if then and now] == [
        (50, 50),
        (100, 100),
        (50, 50),
        (150, 150),
        (50, 50),
    ]


def test_what_was_not_measured_is_neither_met_nor_missed_and_says_why() -> None:
    found = lines(BAR, measured(0.8, None, {}), measured(0.8, 0.5, {"a": 0.9}))
    assert [line.met for line in found] == [None, True, None, None, None]
    assert found[0].why == "before: too few images"
    assert found[2].why == "no group was measured both before and after"
    assert found[3].why == "before: not measured"
    assert found[4].why == "the removal was not measured"


def test_the_regions_judged_spurious_count_before_true_masks() -> None:
    found = lines(BAR, measured(0.8, 0.4, {}), measured(0.8, 0.6, {}, flipped=0.05))
    assert found[4].came == pytest.approx(0.05)


def test_no_rise_is_asked_for_where_none_is_possible() -> None:
    before = measured(0.98, 0.97, {"a": 0.97, "b": 0.99}, flipped=0.02, added=0.02)
    kept, lost = (
        measured(0.98, worst, {"a": worst, "b": 0.99}, flipped=flip, added=flip)
        for worst, flip in ((0.95, 0.04), (0.94, 0.06))
    )
    assert [line.met for line in lines(BAR, before, kept)] == [True] * 5
    found = lines(BAR, before, lost)
    assert [line.met for line in found] == [False, True, True, False, True]
    assert found[3].why == "95 % is enough: from there no rise is asked for"


def test_a_bar_of_a_time_when_agreement_was_not_asked_for_has_four_lines() -> None:
    both = measured(0.8, 0.6, {"a": 0.9}, flipped=0.05)
    assert len(lines(AcceptanceBar(), both, both)) == 4


def test_of_classes_alone_the_worst_one_need_not_rise_but_none_may_fall() -> None:
    before = measured(0.8, 0.6, {"a": 0.9}, attributes=False)
    found = lines(BAR, before, measured(0.8, 0.6, {"a": 0.8}, attributes=False))
    assert [line.met for line in found[:3]] == [None, True, False]
    assert found[0].why == "no groups are known besides the classes"
    alike = [group.model_copy(update={"attributes": {"letter": "present"}}) for group in before.groups]
    same = before.model_copy(update={"groups": alike})  # each class with one and the same: they tell nothing more
    assert (lines(BAR, same, same)[0].met, lines(BAR, same, same)[0].why) == (None, found[0].why)


def test_a_group_of_few_pictures_is_told_and_not_judged() -> None:
    before, after = measured(0.8, 0.6, {"a": 0.9, "b": 0.9}), measured(0.8, 0.6, {"a": 0.88, "b": 0.5})
    small = after.model_copy(
        update={"groups": [each.model_copy(update={"counts": each.name == "a"}) for each in after.groups]}
    )
    assert lines(BAR, before, after)[2].met is False
    line = lines(BAR, before, small)[2]
    assert (line.met, line.came, line.why) == (True, pytest.approx(-0.02), "a; not judged, of too few pictures: b")


def test_a_group_in_which_a_single_answer_would_decide_is_not_judged() -> None:
    before, after = measured(0.8, 0.6, {"a": 0.9}), measured(0.8, 0.6, {"a": 0.8})
    for pictures, met in ((20, False), (19, None)):
        groups = [each.model_copy(update={"accuracy": estimate(0.8, pictures)}) for each in after.groups]
        assert lines(BAR, before, after.model_copy(update={"groups": groups}))[2].met is met


@pytest.mark.parametrize(("fall", "smallest"), [(0.0, 0), (0.05, 20), (0.06, 17), (0.1, 10), (0.3, 4), (1.0, 1)])
def test_the_smallest_group_is_that_in_which_a_single_answer_is_within_the_bar(fall: float, smallest: int) -> None:
    assert AcceptanceBar(group_falls_at_most=fall).smallest_group == smallest
    assert fall == 0 or 1 / smallest <= fall + 1e-9 < 1 / (smallest - 1 or 0.5)


def test_the_ways_of_the_settling_test_are_the_guards() -> None:
    assert acceptance.WAYS == guard.WAYS


OWED = Owed(0.10, {"a": 0.20})


def test_what_was_owed_to_the_spurious_regions_may_go_besides_and_says_so() -> None:
    before = measured(0.80, 0.40, {"a": 0.90, "b": 0.40})
    told = "not counting the 10 points that were owed to the spurious regions alone"
    for accuracy, met, why in ((0.78, True, ""), (0.68, True, told), (0.67, False, "")):
        line = lines(BAR, before, measured(accuracy, 0.55, {"a": 0.90, "b": 0.55}), OWED)[1]
        assert (line.met, line.why, line.came) == (met, why, pytest.approx(accuracy - 0.80))
    by_group = "a, not counting the 20 points that were owed to the spurious regions alone"
    for value, met, why in ((0.85, True, "a"), (0.65, True, by_group), (0.64, False, "a")):
        line = lines(BAR, before, measured(0.80, 0.55, {"a": value, "b": 0.55}), OWED)[2]
        assert (line.met, line.why, line.came) == (met, why, pytest.approx(value - 0.90))


def test_one_point_is_one() -> None:
    before = measured(0.80, 0.40, {"a": 0.80, "b": 0.40})
    bar = AcceptanceBar(worst_group_rises=0.01, accuracy_falls_at_most=0.01, group_falls_at_most=0.015)
    told = [line.asked for line in lines(bar, before, before)[:3]]
    assert [each.split()[-2:] for each in told] == [["1", "point"], ["1", "point"], ["1.5", "points"]]
    with reading_in("de"):
        told = [line.asked for line in lines(bar, before, before)[:3]]
    assert [each.split()[-2:] for each in told] == [["1", "Punkt"], ["1", "Punkt"], ["1,5", "Punkte"]]


def test_a_group_is_judged_by_what_it_lost_of_its_own() -> None:
    before = measured(0.80, 0.40, {"a": 0.90, "b": 0.40})
    line = lines(BAR, before, measured(0.80, 0.30, {"a": 0.72, "b": 0.33}), OWED)[2]
    assert (line.met, line.why, line.came) == (False, "b", pytest.approx(-0.07))


def test_each_round_may_cost_what_it_found() -> None:
    rounds = [
        guard_record(owed=estimate(0.1, 50), owed_by_group={"a": estimate(0.2, 20), "b": estimate(0.1, 20)}),
        guard_record(owed=estimate(0.05, 50), owed_by_group={"a": estimate(0.1, 20)}),
        guard_record(),  # of a time when it was not measured
    ]
    assert Owed.of(rounds, None) == Owed(pytest.approx(0.15), {"a": pytest.approx(0.3), "b": pytest.approx(0.1)})
    assert Owed.of([], None) == Owed.of([], 0.2) == Owed()


def test_of_what_was_owed_only_what_is_certain_may_go_and_of_all_rounds_no_more_than_the_bar_lets() -> None:
    few, many = Estimate(value=0.30, low=0.12, high=0.56, n=20), Estimate(value=0.40, low=0.31, high=0.50, n=100)
    rounds = [guard_record(owed=few, owed_by_group={"a": few, "b": many}), guard_record(owed_by_group={"a": few})]
    assert Owed.of(rounds, 0.2) == Owed(0.12, {"a": 0.2, "b": 0.2})
    assert Owed.of(rounds, 0.3) == Owed(0.12, {"a": 0.24, "b": 0.3})


def test_a_group_that_the_spurious_regions_flattered_need_not_rise() -> None:
    before = measured(0.80, 0.40, {"a": 0.40, "b": 0.60})
    for b, met in ((0.75, True), (0.74, False)):
        line = lines(BAR, before, measured(0.80, 0.40, {"a": 0.40, "b": b}), Owed(0.1, {"a": 0.06, "b": 0.05}))[0]
        assert (line.met, line.came) == (met, pytest.approx(b - 0.60))
        assert line.why == "of the groups that the spurious regions did not flatter"
    line = lines(BAR, before, before, Owed(0.1, {"a": 0.06, "b": 0.06}))[0]
    assert (line.met, line.why) == (None, "before: the spurious regions flattered every group")
    assert lines(BAR, before, before, Owed(0.1, {"a": 0.05, "c": 0.9}))[0].met is False
