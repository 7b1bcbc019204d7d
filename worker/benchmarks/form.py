"""The one form in which every benchmark reports: named figures over seeds, as a table and as JSON."""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Figure:
    """One measured number: the mean of n values with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    n: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class BenchmarkOptions:
    """seeds: how many, from 0; quick: the same path on a fraction of the data, for tests.

    For those that take hours: sets and arms, all where none are named; size: of real pictures, in pixels a side; work:
    the folder of what is kept; so_far: takes the figures of what is done, again and again.
    """

    seeds: int = 3
    quick: bool = False
    sets: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    size: int | None = None
    work: Path | None = None
    so_far: Callable[[list[Figure]], object] = lambda _: None


@dataclass(frozen=True)
class Report:
    benchmark: str
    commit: str
    machine: str
    seeds: int
    seconds: float
    figures: tuple[Figure, ...]


def figure(name: str, values: Sequence[float]) -> Figure:
    """Mean of the values with Student's 95 % interval; a single value has none, and its ends are itself."""
    sample = np.asarray(values, dtype=float)
    n, mean = len(sample), float(sample.mean())
    half = float(student.ppf(0.975, n - 1) * sample.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return Figure(name, mean, mean - half, mean + half, n, tuple(sample.tolist()))


def over_seeds(measured: Sequence[dict[str, float]]) -> list[Figure]:
    """One figure for every name, in the order of the first seed's."""
    return [figure(name, [seed[name] for seed in measured]) for name in measured[0]]


def machine() -> str:
    """Processor, cores and torch, so that a figure can be compared with another; never a name of the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ""
    return f"{_processor()}, {cores} cores{gpu}, torch {torch.__version__}, Python {platform.python_version()}"


def commit() -> str:
    """The commit that is measured, marked where the working tree differs from it; outside a checkout it is unknown."""
    here = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return found.stdout.strip()


def show(report: Report) -> None:
    table = Table(title=f"{report.benchmark}, {report.seeds} seeds, {report.seconds:.0f} s")
    for heading in ("figure", "value", "low", "high", "n"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for row in report.figures:
        table.add_row(row.name, *(f"{number:.4g}" for number in (row.value, row.low, row.high)), str(row.n))
    Console().print(table)


def write(report: Report, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
