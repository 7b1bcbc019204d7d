"""Results over seeds: the figures of every arm, each seed paired with the original and the control of the same seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean

from worker.benchmarks.alignment.arms import RIVALS, TOLD, Arm
from worker.benchmarks.alignment.kept import Result
from worker.benchmarks.alignment.plans import Plan
from worker.benchmarks.form import Figure, figure
from worker.method.significance import wilcoxon

ORIGINAL, CONTROL, OURS, LVLM = Arm("original"), Arm("control"), Arm("consistency"), Arm("lvlm")
MEASURED = ("wga", "aga", "accuracy", "flip", "covered", "mu_align", "evidence")
# What is told as the difference to the original as well.
PAIRED = ("wga", "aga", "accuracy")


@dataclass(frozen=True)
class OfSet:
    """Arm -> seed -> result.

    missing: why the set cannot be had on this machine; empty where it can. devices: seed -> what its original was
    trained on.
    """

    plan: Plan
    results: Mapping[Arm, Mapping[int, Result]]
    missing: str = ""
    devices: Mapping[int, str] = field(default_factory=dict)

    def values(self, arm: Arm, name: str) -> dict[int, float]:
        """One measured value for every seed that has it."""
        found = self.results.get(arm, {})
        return {seed: found[seed].figures[name] for seed in sorted(found) if name in found[seed].figures}

    def differences(self, arm: Arm, name: str, to: Arm = ORIGINAL) -> dict[int, float]:
        """The arm's values minus those of another arm on the same seeds."""
        other = self.values(to, name)
        return {seed: value - other[seed] for seed, value in self.values(arm, name).items() if seed in other}

    def p(self, arm: Arm, to: Arm = ORIGINAL) -> float | None:
        """Wilcoxon's signed-rank test of worst-group accuracy on paired seeds, or None where there are no pairs."""
        differences = self.differences(arm, "wga", to)
        if arm == to or not differences:
            return None
        return wilcoxon([0.0] * len(differences), list(differences.values())).p

    def rivals(self, *, told_groups: bool) -> list[Arm]:
        """Those that have results, of the ones that are told groups or of those that are not."""
        return [arm for arm in self.results if arm.base in RIVALS and (TOLD[arm.base] == "groups") == told_groups]

    def lead(self, *, told_groups: bool) -> tuple[Arm, dict[int, float]] | None:
        """The best rival of those that are told groups, or of those that are not, and by how much worst-group accuracy
        consistency is ahead of it on every seed of both. Best is the least mean lead; None where there is none.
        """
        rivals = self.rivals(told_groups=told_groups)
        leads = [(arm, differences) for arm in rivals if (differences := self.differences(OURS, "wga", arm))]
        return min(leads, key=lambda each: mean(each[1].values()), default=None)

    def most_harmed(self, arm: Arm) -> tuple[str, dict[int, float]] | None:
        """The group whose accuracy falls most from the original to the arm, in the mean over seeds of both, and by how
        much it changes on each. The group that the original serves best is left out: the shortcut flattered it. None
        where there are no two groups.
        """
        before, after = self.results.get(ORIGINAL, {}), self.results.get(arm, {})
        seeds = [seed for seed in sorted(after) if seed in before and after[seed].groups]
        if not seeds:
            return None
        names = set.intersection(*({*before[seed].groups} & {*after[seed].groups} for seed in seeds))
        if not names:
            return None
        flattered = max(sorted(names), key=lambda name: mean(before[seed].groups[name] for seed in seeds))
        changes = {
            name: {seed: after[seed].groups[name] - before[seed].groups[name] for seed in seeds}
            for name in sorted(names - {flattered})
        }
        return min(changes.items(), key=lambda each: mean(each[1].values()), default=None)


def figures_of(found: OfSet) -> list[Figure]:
    """``alignment.SET.ARM.wga`` and the like, of every arm that has results."""
    return [
        figure(f"alignment.{found.plan.name}.{arm.name}.{name}", values)
        for arm in found.results
        for name, values in _named(found, arm).items()
        if values
    ]


def by_seed(found: OfSet, arm: Arm) -> dict[str, dict[int, float]]:
    """What an arm comes to, by name and seed; a name that nothing was measured of has no seeds.

    Of consistency beside: ``ahead_of_control``; ``lead_groups`` and ``lead``, how far it is ahead of the best rival
    that is told groups and of the best that is not; ``most_harmed``.
    """
    named = {name: found.values(arm, name) for name in MEASURED}
    if arm != ORIGINAL:
        named |= {f"d{name}": found.differences(arm, name) for name in PAIRED}
    if arm == OURS:
        told = {
            "lead_groups": found.lead(told_groups=True),
            "lead": found.lead(told_groups=False),
            "most_harmed": found.most_harmed(arm),
        }
        named["ahead_of_control"] = found.differences(arm, "wga", CONTROL)
        named |= {name: each[1] if each else {} for name, each in told.items()}
    return named


def _named(found: OfSet, arm: Arm) -> dict[str, list[float]]:
    named = {name: list(values.values()) for name, values in by_seed(found, arm).items()}
    tested = {"p": found.p(arm), "p_control": found.p(arm, CONTROL) if arm != ORIGINAL else None}
    return named | {name: [value] for name, value in tested.items() if value is not None}
