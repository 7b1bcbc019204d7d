"""The benchmarks by name, and how one is run."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from worker.benchmarks import artefacts, clustering, consensus, decoymnist, doubts, lvlm, pages
from worker.benchmarks.alignment import run as alignment
from worker.benchmarks.cluster_sets import RECIPES
from worker.benchmarks.form import BenchmarkOptions, Figure, Report, commit, machine, show, write

BENCHMARKS: dict[str, Callable[[BenchmarkOptions], list[Figure]]] = {
    "alignment": alignment.measure,
    "artefacts": artefacts.measure,
    "clustering": clustering.measure,
    "consensus": consensus.measure,
    "decoymnist": decoymnist.measure,
    "doubts": doubts.measure,
    "lvlm": lvlm.measure,
    "pages": pages.measure,
}


class UnknownBenchmarkError(Exception):
    """There is no benchmark of that name; the message lists those there are."""


class UnknownSetError(Exception):
    """There is no set of pictures of that name; the message lists those there are."""


def run(name: str, options: BenchmarkOptions, path: Path | None = None) -> Report:
    """Measure, print the table, and write the figures to ``path`` if one is given.

    Raises UnknownBenchmarkError, UnknownSetError.
    """
    if name not in BENCHMARKS:
        raise UnknownBenchmarkError(f"There is no benchmark {name!r}. There are: {', '.join(sorted(BENCHMARKS))}.")
    if unknown := [each for each in options.sets if each not in RECIPES]:
        raise UnknownSetError(f"There is no set {unknown[0]!r}. There are: {', '.join(RECIPES)}.")
    started = time.monotonic()

    def report(figures: list[Figure]) -> Report:
        found = Report(name, commit(), machine(), options.seeds, time.monotonic() - started, tuple(figures))
        if path is not None:
            write(found, path)
        return found

    found = report(BENCHMARKS[name](replace(options, so_far=report)))
    show(found)
    return found
