import numpy as np
import pytest
from scipy.stats import norm

from tests.worker.method.drawn_clusters import balanced, draw, words
from worker.method import next_to_review as method
from worker.method.consensus import REVIEW_NOISE, consensus, corrected, error_similarity, probe
from worker.method.next_to_review import next_to_review


def test_the_first_to_be_seen_is_the_one_whose_answer_is_expected_to_change_most_evidence() -> None:
    data = draw(images=12, with_artefact=0.8)
    found = probe(data.clusters, words(data.truth))
    share = data.clusters.share
    slow = []
    for index in range(len(data.truth)):
        variance = error_similarity(found, np.array([index]))[index, 0] + REVIEW_NOISE
        p = norm.cdf(found.leaning[index] / np.sqrt(variance))
        change = 0.0
        for answer, probability in ((True, p), (False, 1 - p)):
            moved = corrected(found, {index: answer})[0] > 0
            moved[index] = answer
            change += probability * share[moved != (found.leaning > 0)].sum()
        slow.append(change)
    covariance, leaning = method._known(found, {})
    fast = method._expected_change(found, leaning, covariance, np.arange(len(slow)))
    np.testing.assert_allclose(fast, slow, atol=method.CURIOSITY * 5)
    assert slow[next_to_review(found, {}, 1)[0]] > max(slow) - method.CURIOSITY * 5


@pytest.mark.parametrize("count", [1, 4, 24])
def test_a_batch_has_the_wanted_number_of_different_unreviewed_clusters(count: int) -> None:
    data = draw()
    found = probe(data.clusters, words(data.truth))
    reviews = {index: bool(data.truth[index]) for index in range(8)}
    chosen = next_to_review(found, reviews, count, not_these=range(8, 100))
    assert len(set(chosen)) == count
    assert min(chosen) >= 100


def test_no_more_are_chosen_than_there_are() -> None:
    data = draw(images=10)
    found = probe(data.clusters, words(data.truth))
    reviews = {index: bool(data.truth[index]) for index in range(35)}
    assert sorted(next_to_review(found, reviews, 24, not_these=[2, 39])) == [35, 36, 37, 38]
    assert next_to_review(found, dict.fromkeys(range(40), True), 3) == []


def test_every_kind_gets_a_look_although_probe_and_judge_agree() -> None:
    data = draw(images=100, noise=0.4)
    found = probe(data.clusters, words(np.zeros_like(data.truth)))
    chosen = next_to_review(found, {}, 6)
    assert set(data.kind[chosen].tolist()) == {0, 1, 2}


def test_a_batch_is_not_six_times_the_same() -> None:
    data = draw(images=100, noise=0.4)
    found = probe(data.clusters, words(data.truth))
    chosen = next_to_review(found, {}, 8)
    assert np.bincount(data.kind[chosen], minlength=3).max() <= 5


def test_after_a_dissent_the_next_ones_settle_how_far_it_reaches() -> None:
    data = draw(images=100, noise=0.8)
    found = probe(data.clusters, words(np.zeros_like(data.truth)))
    answers: dict[int, bool] = {}
    for _ in range(4):
        answers |= {index: bool(data.truth[index]) for index in next_to_review(found, answers, 4)}
    chosen = balanced(consensus(found, answers).spurious, data.truth)
    at_random = []
    for seed in range(5):
        drawn = np.random.default_rng(seed).choice(len(data.truth), 16, replace=False)
        reviews = {int(index): bool(data.truth[index]) for index in drawn}
        at_random.append(balanced(consensus(found, reviews).spurious, data.truth))
    assert chosen > 0.93
    assert chosen > np.mean(at_random) + 0.03


def test_the_same_question_has_the_same_answer() -> None:
    data = draw()
    found = probe(data.clusters, words(data.truth))
    assert next_to_review(found, {3: True}, 5) == next_to_review(found, {3: True}, 5)


def test_of_many_clusters_only_those_that_reach_far_are_weighed(monkeypatch) -> None:
    data = draw()
    found = probe(data.clusters, words(data.truth))
    monkeypatch.setattr(method, "CANDIDATES", 3)
    covariance, _ = method._known(found, {})
    reach = data.clusters.share @ np.abs(covariance)
    assert next_to_review(found, {}, 1)[0] in np.argsort(-reach)[:3]
