from dataclasses import replace

import pytest

from tests.worker.benchmarks.alignment.results import of_knees
from worker.benchmarks.alignment.arms import Arm, parsed
from worker.benchmarks.alignment.gathered import OfSet, by_seed
from worker.benchmarks.alignment.goals import GOALS, Goal
from worker.benchmarks.alignment.kept import Result
from worker.benchmarks.alignment.plans import NAMES

EVERY_ARM = {"original": (0.2,), "consistency": (0.5,), "delivered_50": (0.2,)}


def test_a_mean_has_to_lie_on_its_side_of_the_bound() -> None:
    assert Goal("consistency", "wga", 0.5).is_reached([0.4, 0.6])
    assert not Goal("consistency", "wga", 0.51).is_reached([0.4, 0.6])
    assert Goal("consistency", "flip", 0.5, "at most").is_reached([0.4, 0.6])
    assert not Goal("consistency", "flip", 0.49, "at most").is_reached([0.4, 0.6])


def test_a_single_seed_can_miss_what_every_seed_has_to_reach() -> None:
    goal = Goal("consistency", "ahead_of_control", 0.0, "on every seed above")
    found = of_knees({"original": (0.2, 0.2), "control": (0.3, 0.3), "consistency": (0.8, 0.3)})
    assert goal.values(found) == pytest.approx({0: 0.5, 1: 0.0})
    assert not goal.is_reached(list(goal.values(found).values()))
    assert goal.is_reached([0.5, 0.1])


def test_the_seed_that_a_bound_was_taken_from_does_not_count() -> None:
    found = of_knees({"original": (0.2, 0.2), "consistency": (0.8, 0.3)})
    assert Goal("consistency", "dwga", 0.6, given=(0,)).values(found) == pytest.approx({1: 0.1})


def test_p_is_one_of_all_seeds() -> None:
    found = of_knees({"original": (0.2, 0.2), "consistency": (0.8, 0.3)})
    assert Goal("consistency", "p", 0.016, "at most").values(found) == {0: 0.5, 1: 0.5}
    assert Goal("consensus_40", "p", 0.016, "at most").values(found) == {}


@pytest.mark.parametrize(("name", "goal"), [(name, goal) for name, goals in GOALS.items() for goal in goals])
def test_every_goal_is_of_an_arm_and_a_figure_that_there_are(name: str, goal: Goal) -> None:
    assert name in NAMES
    found = of_knees({**EVERY_ARM, goal.arm: (0.5,)})
    assert goal.name == "p" or goal.name in by_seed(found, parsed(goal.arm))


def grouped(original: dict[str, float], consistency: dict[str, float], *more: tuple[float, float]) -> OfSet:
    """Seed 0 with these groups; every further seed with two accuracies of the group b."""
    found = of_knees({"original": (0.2,) * (1 + len(more)), "consistency": (0.5,) * (1 + len(more))})
    rows = [(original, consistency), *(({**original, "b": b}, {**consistency, "b": after}) for b, after in more)]
    results = {
        Arm(name): {seed: Result(groups=row[column]) for seed, row in enumerate(rows)}
        for column, name in enumerate(("original", "consistency"))
    }
    return replace(found, results=results)


def test_the_group_that_loses_most_is_found_in_the_mean_but_never_the_one_that_the_original_serves_best() -> None:
    before, after = {"a": 0.9, "b": 0.8, "c": 0.3}, {"a": 0.5, "b": 0.7, "c": 0.6}
    assert grouped(before, after).most_harmed(Arm("consistency")) == ("b", pytest.approx({0: -0.1}))
    name, changes = grouped(before, after, (0.5, 0.6)).most_harmed(Arm("consistency")) or ("", {})
    assert (name, changes) == ("b", pytest.approx({0: -0.1, 1: 0.1}))


def test_without_two_groups_or_without_an_original_nothing_is_said_of_groups() -> None:
    assert grouped({"a": 0.9}, {"a": 0.5}).most_harmed(Arm("consistency")) is None
    assert grouped({}, {}).most_harmed(Arm("consistency")) is None
    assert of_knees({"consistency": (0.5,)}).most_harmed(Arm("consistency")) is None
