import json
import math
from pathlib import Path

import pytest

from worker.benchmarks import catalogue, form
from worker.benchmarks.form import BenchmarkOptions, Figure


def test_a_figure_is_the_mean_with_students_interval() -> None:
    found = form.figure("accuracy", [0.9, 0.92, 0.97])
    assert found.value == pytest.approx(0.93)
    deviation = math.sqrt((0.03**2 + 0.01**2 + 0.04**2) / 2)
    # 4.302653 is the 97.5 % point of Student's distribution with two degrees of freedom.
    assert found.high - found.value == pytest.approx(4.302653 * deviation / math.sqrt(3), rel=1e-6)
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert (found.n, found.values) == (3, (0.9, 0.92, 0.97))


def test_a_single_value_has_no_interval() -> None:
    assert form.figure("accuracy", [0.9]) == Figure("accuracy", 0.9, 0.9, 0.9, 1, (0.9,))


def test_figures_are_gathered_over_seeds_by_name() -> None:
    found = form.over_seeds([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}])
    assert [(figure.name, figure.value, figure.values) for figure in found] == [
        ("a", 2.0, (1.0, 3.0)),
        ("b", 3.0, (2.0, 4.0)),
    ]


def test_a_run_prints_a_table_and_writes_the_one_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(options: BenchmarkOptions) -> list[Figure]:
        return [form.figure("made_up.seeds", [float(seed) for seed in range(options.seeds)])]

    monkeypatch.setitem(catalogue.BENCHMARKS, "made_up", measure)
    path = tmp_path / "new" / "made_up.json"
    catalogue.run("made_up", BenchmarkOptions(3), path)
    written = json.loads(path.read_text())
    assert list(written) == ["benchmark", "commit", "machine", "seeds", "seconds", "figures"]
    assert (written["benchmark"], written["seeds"]) == ("made_up", 3)
    assert list(written["figures"][0]) == ["name", "value", "low", "high", "n", "values"]
    assert written["figures"][0]["values"] == [0, 1, 2]
    assert "made_up.seeds" in capsys.readouterr().out


def test_an_unknown_benchmark_is_refused_with_the_names_there_are() -> None:
    named = "There are: alignment, artefacts, clustering, consensus, decoymnist, doubts, lvlm"
    with pytest.raises(catalogue.UnknownBenchmarkError, match=rf"no benchmark 'x'. {named}"):
        catalogue.run("x", BenchmarkOptions())


def test_sets_that_there_are_not_are_refused_before_anything_is_measured() -> None:
    with pytest.raises(catalogue.UnknownSetError, match=r"no set 'hips'\. There are: digits, synthetic_knees"):
        catalogue.run("artefacts", BenchmarkOptions(sets=("digits", "hips")))


def test_a_checkout_without_git_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert form.commit() not in {"", form.UNKNOWN}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert form.commit() == form.UNKNOWN
