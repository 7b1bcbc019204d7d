"""What was set out to be reached before it was measured, and whether it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Literal

from worker.benchmarks.alignment.arms import RIVALS, TOLD, Arm, parsed
from worker.benchmarks.alignment.gathered import OfSet, by_seed


@dataclass(frozen=True)
class Goal:
    """arm, name: a figure of the arm, as in ``gathered.by_seed``, or its ``p`` against the original.

    side: on which side of the bound its mean has to lie, or the least seed's value. given: seeds that the bound itself
    was taken from, which are left out.
    """

    arm: str
    name: str
    bound: float
    side: Literal["at least", "at most", "on every seed above"] = "at least"
    given: tuple[int, ...] = ()

    def values(self, found: OfSet) -> dict[int, float]:
        """By seed; nothing where it was not measured. ``p`` is one of all seeds, and stands under each."""
        arm = parsed(self.arm)
        if self.name == "p":
            p = found.p(arm)
            return {} if p is None else dict.fromkeys(found.differences(arm, "wga"), p)
        measured = by_seed(found, arm)[self.name] if arm in found.results else {}
        return {seed: value for seed, value in measured.items() if seed not in self.given}

    def is_of_all(self, found: OfSet, seeds: int) -> bool:
        """Whether every rival that may be the best one has so many seeds; True of what is of no rival."""
        if self.name not in LEADS:
            return True
        wanted = [name for name in RIVALS if (TOLD[name] == "groups") == (self.name == "lead_groups")]
        return all(len(found.differences(parsed(self.arm), "wga", Arm(name))) >= seeds for name in wanted)

    def is_reached(self, values: Sequence[float]) -> bool:
        if self.side == "on every seed above":
            return min(values) > self.bound
        return mean(values) >= self.bound if self.side == "at least" else mean(values) <= self.bound


LEADS = ("lead_groups", "lead")
NO_CHANCE = Goal("consistency", "p", 0.016, "at most")  # the smallest that seven seeds can give
NO_HARM = Goal("delivered_50", "dwga", -0.03)
GOALS: Mapping[str, Sequence[Goal]] = {
    "digits": (Goal("consensus_40", "accuracy", 0.92), NO_CHANCE, NO_HARM),
    "synthetic_knees": (
        Goal("consistency", "dwga", 0.42),
        Goal("consensus_25", "dwga", 0.40),
        Goal("consensus_40", "dwga", 0.35),
        NO_CHANCE,
        NO_HARM,
    ),
    # What the first seed came to.
    "synthetic_lesions": (
        Goal("consistency", "dwga", 0.35, given=(0,)),
        Goal("consensus_25", "dwga", 0.34, given=(0,)),
        Goal("consensus_40", "dwga", 0.36, given=(0,)),
        NO_HARM,
    ),
    "knees": (
        Goal("consistency", "wga", 0.78),
        Goal("consistency", "daga", 0.10),
        Goal("consistency", "ahead_of_control", 0.0, "on every seed above"),
        Goal("consensus_25", "wga", 0.75),
        Goal("consensus_40", "wga", 0.70),
        Goal("lvlm", "wga", 0.72),
        Goal("consistency", "lead_groups", 0.02),
        Goal("consistency", "lead", 0.15),
        Goal("consensus_class", "dwga", 0.20),
        Goal("consensus_all", "dwga", 0.20),
        Goal("consistency", "flip", 0.08, "at most"),
        NO_CHANCE,
        NO_HARM,
    ),
    "skin_lesions": (
        Goal("consistency", "wga", 0.60),
        Goal("consistency", "most_harmed", -0.05),
        Goal("consistency", "flip", 0.08, "at most"),
        NO_HARM,
    ),
}
STEP_COST = 2.2  # plain steps, at most
