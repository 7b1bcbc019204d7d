import numpy as np
import pytest

from tests.worker.method.drawn_clusters import draw, words
from worker.benchmarks import consensus
from worker.benchmarks.cluster_sets import ClusterSet
from worker.benchmarks.form import BenchmarkOptions
from worker.benchmarks.shortcut_pictures import MissingSetError
from worker.method.consensus import probe

SETS = ("digits", "synthetic_lesions")
ALONE = ("", ".judge", ".estimated_prevalence")
SYSTEMATIC = ("", ".judge", ".before_review", ".random_reviews")


def drawn_set(seed: int) -> ClusterSet:
    data = draw(images=60, seed=seed, noise=0.5)
    return ClusterSet(data.clusters, data.truth, np.array(["corner", "middle", "upper part"])[data.kind], data.kind)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, ClusterSet]:
    sets = {"easy": drawn_set(0), "hard": drawn_set(1)}
    # Features that hardly tell the kinds apart.
    noise = 3 * np.random.default_rng(2).standard_normal(sets["hard"].clusters.features.shape)
    sets["hard"].clusters.features[:] += noise
    monkeypatch.setattr(consensus, "RECIPES", sets)
    monkeypatch.setattr(consensus, "cluster_set", lambda name, _seed, **_: sets[name])
    return sets


def test_a_quick_run_has_every_figure() -> None:
    found = {figure.name: figure for figure in consensus.measure(BenchmarkOptions(seeds=2, quick=True))}
    assert set(found) == {
        *(f"consensus.{judge}" for judge in consensus.HEADLINES),
        *(f"consensus.{name}.{of_set}" for name in ("prevalence", "never_spurious") for of_set in SETS),
        *(f"consensus.{judge}.{of_set}{rest}" for judge in consensus.RATES for of_set in SETS for rest in ALONE),
        *(
            f"consensus.systematic_{scope}.{of_set}{rest}"
            for scope in ("class", "all")
            for of_set in SETS
            for rest in SYSTEMATIC
        ),
    }
    assert all(0 <= value <= 1 for figure in found.values() for value in figure.values)
    assert {figure.n for figure in found.values()} == {2}
    assert all(found[f"consensus.never_spurious.{name}"].value == 0.5 for name in SETS)


@pytest.mark.usefixtures("drawn")
def test_the_headline_is_the_lowest_of_the_sets() -> None:
    found = {figure.name: figure for figure in consensus.measure(BenchmarkOptions(seeds=2))}
    for judge in consensus.HEADLINES:
        easy, hard = (found[f"consensus.{judge}.{name}"] for name in ("easy", "hard"))
        assert found[f"consensus.{judge}"].value == min(easy.value, hard.value)
    assert found["consensus.error_25.easy"].value > 0.95 > found["consensus.error_25.easy.judge"].value
    assert found["consensus.error_25.hard"].value < found["consensus.error_25.easy"].value
    assert found["consensus.systematic_all.easy"].value > found["consensus.systematic_all.easy.before_review"].value


def test_a_set_that_is_not_there_is_left_out_and_that_is_said(drawn, monkeypatch, capsys) -> None:
    def one_is_missing(name: str, seed: int, *, quick: bool) -> ClusterSet:
        if name == "hard":
            raise MissingSetError("There is none.")
        return drawn[name]

    monkeypatch.setattr(consensus, "cluster_set", one_is_missing)
    found = [figure.name for figure in consensus.measure(BenchmarkOptions(seeds=1))]
    assert "consensus.error_13.easy" in found
    assert not any("hard" in name for name in found)
    assert "The set hard is left out: There is none." in capsys.readouterr().out


def test_balanced_accuracy_counts_both_sides_alike() -> None:
    truth = np.array([True, False, False, False])
    assert consensus.balanced(np.array([True, True, False, False]), truth) == pytest.approx((1 + 2 / 3) / 2)
    assert consensus.balanced(np.zeros(4, dtype=bool), truth) == 0.5
    assert consensus.balanced(np.zeros(4, dtype=bool), np.zeros(4, dtype=bool)) == 1


def test_the_person_is_asked_two_dozen_times_and_answers_the_truth() -> None:
    data = drawn_set(0)
    found = probe(data.clusters, words(data.truth))
    answers = consensus.reviews(found, data.truth)
    assert len(answers) == consensus.REVIEWS
    assert all(data.truth[index] == answer for index, answer in answers.items())


def test_the_person_is_asked_no_more_often_than_there_are_clusters() -> None:
    data = draw(images=4)
    assert len(consensus.reviews(probe(data.clusters, words(data.truth)), data.truth)) == 16
