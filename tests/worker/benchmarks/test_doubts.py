import numpy as np
import pytest

from tests.worker.method.drawn_clusters import draw
from worker.benchmarks import doubts
from worker.benchmarks.cluster_sets import ClusterSet
from worker.benchmarks.form import BenchmarkOptions
from worker.benchmarks.shortcut_pictures import MissingSetError


def drawn_set(seed: int) -> ClusterSet:
    data = draw(images=60, seed=seed, noise=0.5)
    return ClusterSet(data.clusters, data.truth, np.array(["corner", "middle", "upper part"])[data.kind], data.kind)


def test_a_judge_that_is_right_is_not_doubted_and_one_that_guesses_is() -> None:
    data = drawn_set(0)
    right = doubts.drawn(data, "", 0)
    assert right.pop(".balanced") > 0.99
    assert right == {"": 0, ".noise": 0, ".far": 0, ".chance": 0}
    guesses = [doubts.drawn(data, "50", draw) for draw in range(5)]
    assert sum(each[""] for each in guesses) >= 3
    assert all(each[""] == max(each[".noise"], each[".far"], each[".chance"]) for each in guesses)


def test_each_doubt_is_raised_by_what_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    data = drawn_set(0)
    data.clusters.features[:] = np.random.default_rng(2).standard_normal(data.clusters.features.shape)
    told = doubts.drawn(data, "50", 0)
    assert (told[".noise"], told[".far"]) == (1, 0)  # where nothing is compared nothing is overruled
    monkeypatch.setattr(doubts, "blind_kappa", lambda *_: doubts.Estimate(value=0.05, n=24))
    assert doubts.drawn(drawn_set(0), "", 0)[".chance"] == 1


def test_figures_are_shares_of_draws_and_a_set_that_is_missing_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def only_here(name: str, _seed: int, **_: bool) -> ClusterSet:
        if name == "knees":
            raise MissingSetError("no folder")
        return drawn_set(0)

    monkeypatch.setattr(doubts, "cluster_set", only_here)
    found = {each.name: each for each in doubts.measure(BenchmarkOptions(seeds=2, sets=("knees", "digits")))}
    assert "knees is left out: no folder" in capsys.readouterr().out
    assert {name.split(".")[1] for name in found} == set(doubts.ERRORS)
    assert {name.split(".")[2] for name in found} == {"digits"}
    assert found["doubts.0.digits"].values == (0, 0)
    assert found["doubts.0.digits.balanced"].value > 0.99
