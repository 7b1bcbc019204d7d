"""How right the verdicts are after consensus, for judges that err in known ways, on clusters whose truth is known.

Figures are balanced accuracies: "never spurious" has .5 everywhere. Beside each stands the judge alone. Errors are
drawn anew for every seed; the clusters of a set are the same. The settings of the consensus were chosen on digits and
synthetic pictures of other seeds, and on no real ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from worker.benchmarks.cluster_sets import RECIPES, ClusterSet, cluster_set
from worker.benchmarks.form import BenchmarkOptions, Figure, figure
from worker.benchmarks.shortcut_pictures import MissingSetError
from worker.benchmarks.verdict_errors import SYSTEMATIC, Flags, erring
from worker.method.agreement import sensitivity, specificity
from worker.method.consensus import Probe, consensus, probe
from worker.method.next_to_review import next_to_review

QUICK_SETS = ("digits", "synthetic_lesions")
SEED = 0
REVIEWS, BATCH = 24, 4
RATES = {"error_13": "13", "error_25": "25"}
HEADLINES = (*RATES, "systematic_class", "systematic_all")
# A figure's name without the set -> its value in each draw.
Measured = dict[str, list[float]]


@dataclass(frozen=True)
class _Judged:
    """A judge's words on a set, and what the probe reads from them."""

    data: ClusterSet
    verdicts: Flags
    found: Probe

    def after(self, reviewed: Mapping[int, bool]) -> float:
        return balanced(consensus(self.found, reviewed).spurious, self.data.truth)


def measure(options: BenchmarkOptions) -> list[Figure]:
    """Every set that is here, then for each judge the lowest of the sets."""
    found = dict[str, Measured]()
    for name in QUICK_SETS if options.quick else RECIPES:
        try:
            data = cluster_set(name, SEED, quick=options.quick)
        except MissingSetError as missing:
            print(f"The set {name} is left out: {missing}")
            continue
        found[name] = _of_set(data, options.seeds)
    figures = [figure(_named(key, name), values) for name, of_set in found.items() for key, values in of_set.items()]
    return [*_lowest(found), *figures]


def balanced(verdicts: Flags, truth: Flags) -> float:
    """Mean of sensitivity and specificity; of one alone where the truth has no case of the other."""
    sides = [share(verdicts.tolist(), truth.tolist()).value for share in (sensitivity, specificity)]
    known = [side for side in sides if side is not None]
    return sum(known) / len(known)


def _of_set(data: ClusterSet, draws: int) -> Measured:
    measured: Measured = {}
    for draw in range(draws):
        values = {
            "prevalence": float(data.truth.mean()),
            "never_spurious": balanced(np.zeros_like(data.truth), data.truth),
        }
        for name, error in RATES.items():
            values |= _alone(name, _judged(data, error, draw))
        values |= _systematic(data, draw)
        for name, value in values.items():
            measured.setdefault(name, []).append(value)
    return measured


def _alone(name: str, judged: _Judged) -> dict[str, float]:
    return {
        name: judged.after({}),
        f"{name}.judge": balanced(judged.verdicts, judged.data.truth),
        f"{name}.estimated_prevalence": judged.found.prevalence,
    }


def _systematic(data: ClusterSet, draw: int) -> dict[str, float]:
    values = dict[str, float]()
    for error in SYSTEMATIC:
        name, judged = f"systematic_{error}", _judged(data, error, draw)
        values |= {
            name: judged.after(reviews(judged.found, data.truth)),
            f"{name}.judge": balanced(judged.verdicts, data.truth),
            f"{name}.before_review": judged.after({}),
            f"{name}.random_reviews": judged.after(_at_random(data.truth, np.random.default_rng([draw, REVIEWS]))),
        }
    return values


def _judged(data: ClusterSet, error: str, draw: int) -> _Judged:
    said = erring(error, data.truth, data.places, data.clusters.classes, draw)
    return _Judged(data, said.verdicts, probe(data.clusters, said.words))


def reviews(found: Probe, truth: Flags) -> dict[int, bool]:
    """What a person who is always right answers, asked a few at a time."""
    answers = dict[int, bool]()
    while len(answers) < REVIEWS and (asked := next_to_review(found, answers, min(BATCH, REVIEWS - len(answers)))):
        answers |= {index: bool(truth[index]) for index in asked}
    return answers


def _at_random(truth: Flags, generator: np.random.Generator) -> dict[int, bool]:
    asked = generator.choice(len(truth), min(REVIEWS, len(truth)), replace=False)
    return {int(index): bool(truth[index]) for index in asked}


def _lowest(found: Mapping[str, Measured]) -> list[Figure]:
    return [
        min((figure(_named(name), of_set[name]) for of_set in found.values()), key=lambda row: row.value)
        for name in HEADLINES
        if found
    ]


def _named(key: str, of_set: str = "") -> str:
    """consensus.error_13, consensus.error_13.knees, consensus.error_13.knees.judge."""
    judge, _, rest = key.partition(".")
    return ".".join(part for part in ("consensus", judge, of_set, rest) if part)
