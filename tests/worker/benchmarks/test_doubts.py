import numpy as np
import pytest

from tests.worker.method.drawn_clusters import draw
from worker.benchmarks import doubts
from worker.benchmarks.cluster_sets import ClusterSet
from worker.benchmarks.form import BenchmarkOptions
from worker.benchmarks.shortcut_pictures import MissingSetError
from worker.benchmarks.verdict_errors import erring


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


def test_words_that_follow_nothing_are_noise_and_overrule_nothing() -> None:
    data = drawn_set(0)
    data.clusters.features[:] = np.random.default_rng(2).standard_normal(data.clusters.features.shape)
    told = doubts.drawn(data, "50", 0)
    assert (told[".noise"], told[".far"]) == (1, 0)


def test_a_judge_that_is_wrong_about_everything_is_doubted_though_its_words_follow_something() -> None:
    data = drawn_set(0)
    turned = ClusterSet(data.clusters, ~data.truth, data.places, data.components)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doubts, "erring", lambda *_: erring("", ~turned.truth, data.places, data.clusters.classes, 0))
        told = doubts.drawn(turned, "", 0)
    assert (told[".noise"], told[".chance"], told[""]) == (0, 1, 1)


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
