"""Results as if they had been measured."""

from collections.abc import Mapping, Sequence

from worker.benchmarks.alignment.arms import in_order
from worker.benchmarks.alignment.gathered import OfSet
from worker.benchmarks.alignment.kept import Result
from worker.benchmarks.alignment.plans import planned


def result(wga: float) -> Result:
    figures = {"wga": wga, "aga": wga + 0.1, "accuracy": wga + 0.2, "mu_align": 0.9, "evidence": 0.2}
    figures |= {"flip": 0.4, "covered": 0.1}
    return Result(figures, {"healthy marker=absent": wga + 0.2, "healthy marker=present": wga}, seconds=3.0)


def of_knees(worst: Mapping[str, Sequence[float]]) -> OfSet:
    """Worst-group accuracies of the arms on seeds 0, 1, ..."""
    arms = {arm.name: arm for arm in in_order(list(worst))}
    results = {arms[name]: {seed: result(value) for seed, value in enumerate(worst[name])} for name in arms}
    return OfSet(planned("synthetic_knees"), results)
