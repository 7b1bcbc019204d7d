"""The benchmarks by name, and how one is run."""

import time
from collections.abc import Callable
from pathlib import Path

from worker.benchmarks import artefacts, clustering, consensus, decoymnist, lvlm, pages
from worker.benchmarks.form import BenchmarkOptions, Figure, Report, commit, machine, show, write

BENCHMARKS: dict[str, Callable[[BenchmarkOptions], list[Figure]]] = {
    "artefacts": artefacts.measure,
    "clustering": clustering.measure,
    "consensus": consensus.measure,
    "decoymnist": decoymnist.measure,
    "lvlm": lvlm.measure,
    "pages": pages.measure,
}


class UnknownBenchmarkError(Exception):
    """There is no benchmark of that name; the message lists those there are."""


def run(name: str, seeds: int = 3, path: Path | None = None, *, quick: bool = False) -> Report:
    """Measure, print the table, and write the figures to ``path`` if one is given. Raises UnknownBenchmarkError."""
    if name not in BENCHMARKS:
        raise UnknownBenchmarkError(f"There is no benchmark {name!r}. There are: {', '.join(sorted(BENCHMARKS))}.")
    started = time.monotonic()
    figures = tuple(BENCHMARKS[name](BenchmarkOptions(seeds=seeds, quick=quick)))
    report = Report(name, commit(), machine(), seeds, time.monotonic() - started, figures)
    show(report)
    if path is not None:
        write(report, path)
    return report
