from collections.abc import Mapping

import numpy as np
import pytest

from tests.worker.method.drawn_clusters import balanced, draw, words
from worker.method import consensus as method
from worker.method.consensus import (
    FellBack,
    consensus,
    corrected,
    disagreement,
    error_similarity,
    nearest,
    probe,
)
from worker.method.similarity import Clusters, similarities


@pytest.mark.parametrize(("rate", "least"), [(0.13, 0.97), (0.25, 0.95), (0.35, 0.85)])
def test_errors_that_stand_alone_are_outvoted(rate: float, least: float) -> None:
    data = draw(images=150)
    wrong = np.random.default_rng(3).random(len(data.truth)) < rate
    found = probe(data.clusters, words(data.truth, wrong))
    agreed = consensus(found, {})
    assert balanced(agreed.spurious, data.truth) > least > balanced(data.truth ^ wrong, data.truth)
    assert set(agreed.source) == {"probe"}
    assert (agreed.overruled == (agreed.spurious != data.truth ^ wrong)).all()


@pytest.mark.parametrize("rate", [0.0, 0.13, 0.25])
def test_prevalence_and_error_rates_are_estimated_from_the_disagreement(rate: float) -> None:
    data = draw(images=250, noise=0.5)
    wrong = np.random.default_rng(4).random(len(data.truth)) < rate
    found = probe(data.clusters, words(data.truth, wrong))
    assert found.prevalence == pytest.approx(data.truth.mean(), abs=0.02)
    assert found.misses == pytest.approx(wrong[data.truth].mean(), abs=0.03)
    assert found.false_alarms == pytest.approx(wrong[~data.truth].mean(), abs=0.03)


def test_misses_and_false_alarms_are_told_apart() -> None:
    data, generator = draw(images=250, noise=0.5), np.random.default_rng(5)
    wrong = generator.random(len(data.truth)) < np.where(data.truth, 0.3, 0.05)
    found = probe(data.clusters, words(data.truth, wrong))
    assert found.misses == pytest.approx(wrong[data.truth].mean(), abs=0.05)
    assert found.false_alarms == pytest.approx(wrong[~data.truth].mean(), abs=0.03)
    assert found.prevalence == pytest.approx(data.truth.mean(), abs=0.03)


def test_the_field_of_an_image_equals_that_of_a_fit_which_never_saw_the_image() -> None:
    data = draw(images=12)
    word = np.random.default_rng(6).uniform(-1, 1, len(data.truth))
    word[:3] = 0.0  # no words at all on most of one image
    kernel, images = similarities(data.clusters), data.clusters.images
    slow = np.empty(len(word))
    for image in np.unique(images):
        here, others = images == image, (images != image) & (word != 0)
        among = 1 + kernel[np.ix_(others, others)] + np.diag(2.0 / word[others] ** 2)
        slow[here] = (1 + kernel[np.ix_(here, others)]) @ np.linalg.solve(among, np.sign(word[others]))
    np.testing.assert_allclose(method._left_out(kernel, word, images, 2.0), slow, atol=1e-9)


def test_the_words_on_an_image_change_nothing_in_its_own_field() -> None:
    data = draw(images=30)
    word, images = 2 * words(data.truth) - 1, data.clusters.images
    turned = np.where(images == 7, -word, word)
    before, after = (method._left_out(similarities(data.clusters), it, images, 2.0) for it in (word, turned))
    np.testing.assert_allclose(after[images == 7], before[images == 7], atol=1e-9)
    assert np.abs(after - before)[images != 7].max() > 0.01


def test_what_only_the_image_gives_away_is_not_learned() -> None:
    # All clusters of an image look the same and are judged the same: whoever may look at them is always right.
    generator = np.random.default_rng(8)
    images, look = np.repeat(np.arange(60), 4), np.repeat(generator.standard_normal((60, 8)), 4, axis=0)
    verdicts = np.repeat(generator.random(60) < 0.4, 4)
    clusters = Clusters(images, images % 2, np.full(240, 0.25), look + 0.01 * generator.standard_normal((240, 8)))
    field = method._left_out(similarities(clusters), 2 * words(verdicts) - 1, images, 1.0)
    assert balanced(field > np.median(field), verdicts) < 0.65


def test_turning_the_words_on_an_image_turns_none_of_its_clear_verdicts() -> None:
    data = draw(images=60, noise=0.5)
    judged = words(data.truth, np.random.default_rng(15).random(len(data.truth)) < 0.13)
    before = consensus(probe(data.clusters, judged), {})
    for image in range(0, 60, 6):
        here = data.clusters.images == image
        after = consensus(probe(data.clusters, np.where(here, 1 - judged, judged)), {})
        clear = here & (np.abs(before.p_spurious - 0.5) > 0.3)
        assert (after.spurious == before.spurious)[clear].all()


def test_what_reviews_reached_by_halves_follows_the_many_of_its_kind() -> None:
    data = draw(images=150, noise=0.8)
    found = probe(data.clusters, words(np.zeros_like(data.truth)))
    some = [int(index) for kind in range(3) for index in np.flatnonzero(data.kind == kind)[:6]]
    reviews = {index: bool(data.truth[index]) for index in some}
    once = corrected(found, reviews)[0] > 0
    twice = consensus(found, reviews).spurious
    assert balanced(twice, data.truth) > balanced(once, data.truth) + 0.02


def test_a_probability_means_something() -> None:
    data = draw(images=400, noise=1.1)
    wrong = np.random.default_rng(9).random(len(data.truth)) < 0.13
    p = consensus(probe(data.clusters, words(data.truth, wrong)), {}).p_spurious
    assert ((p >= 0.01) & (p <= 0.99)).all()
    tenth = np.minimum((10 * p).astype(int), 9)
    gaps = [abs(p[tenth == it].sum() - data.truth[tenth == it].sum()) for it in range(10)]
    assert sum(gaps) / len(p) < 0.05
    # A probability cut to its verdict is further off.
    assert np.square(p - data.truth).mean() < np.square((p > 0.5) - data.truth.astype(float)).mean()


def test_reviews_always_win() -> None:
    data = draw()
    found = probe(data.clusters, words(data.truth))
    against = {int(index): not data.truth[index] for index in (0, 1, 17, 40)}
    agreed = consensus(found, against)
    for index, answer in against.items():
        assert agreed.spurious[index] == answer
        assert agreed.p_spurious[index] == float(answer)
        assert agreed.source[index] == "review"
        assert agreed.overruled[index]


def test_a_few_reviews_overrule_a_judge_that_is_wrong_about_a_kind_everywhere() -> None:
    data = draw(images=150, noise=0.5)
    # The judge never recognises the artefact, and takes one kind of what is relevant for it.
    found = probe(data.clusters, words(data.kind == 2))
    before = consensus(found, {})
    some = [int(index) for kind in range(3) for index in np.flatnonzero(data.kind == kind)[:8]]
    after = consensus(found, {index: bool(data.truth[index]) for index in some})
    assert balanced(before.spurious, data.truth) < 0.4
    assert balanced(after.spurious, data.truth) > 0.93


def test_a_review_that_agrees_changes_no_verdict() -> None:
    data = draw(images=100)
    found = probe(data.clusters, words(data.truth))
    before = consensus(found, {})
    after = consensus(
        found, {index: bool(data.truth[index]) for index in range(0, 80, 4) if not before.overruled[index]}
    )
    unreviewed = np.array([source != "review" for source in after.source])
    assert (before.spurious == after.spurious)[unreviewed].mean() > 0.99


def test_dissent_spreads_most_within_the_class() -> None:
    data = draw(images=100, noise=0.3)
    found = probe(data.clusters, words(np.zeros_like(data.truth)))
    one = int(np.flatnonzero(data.truth & (data.clusters.classes == 0))[0])
    leaning, _, _ = corrected(found, {one: True})
    elsewhere = data.clusters.images != data.clusters.images[one]
    same, other = (data.truth & elsewhere & (data.clusters.classes == label) for label in (0, 1))
    assert leaning[same].mean() > leaning[other].mean() + 0.2
    assert leaning[other].mean() > leaning[~data.truth].mean() + 0.2


def test_a_kind_may_be_spurious_in_one_class_and_relevant_in_the_other() -> None:
    data = draw(images=200)
    truth = data.truth & (data.clusters.classes == 1)
    wrong = np.random.default_rng(10).random(len(truth)) < 0.13
    agreed = consensus(probe(data.clusters, words(truth, wrong)), {})
    assert balanced(agreed.spurious, truth) > 0.95


def test_what_reviews_add_equals_a_regression_on_the_reviews_of_other_images() -> None:
    data = draw(images=20)
    found = probe(data.clusters, words(data.truth))
    reviews = {0: False, 1: True, 30: True, 45: False}  # the first two are of one image
    leaning, weights, reviewed = corrected(found, reviews)
    slow = found.leaning.copy()
    for index in range(len(slow)):
        use = [it for it in reviews if data.clusters.images[it] != data.clusters.images[index]]
        toward = error_similarity(found, np.array(use))
        among = toward[use] + method.REVIEW_NOISE * np.eye(len(use))
        answers = np.array([1.0 if reviews[it] else -1.0 for it in use])
        slow[index] += toward[index] @ np.linalg.solve(among, answers - found.leaning[use])
    np.testing.assert_allclose(leaning, slow, atol=1e-9)
    np.testing.assert_allclose(found.leaning + weights.sum(axis=1), leaning)
    assert reviewed.tolist() == [0, 1, 30, 45]


def test_a_verdict_changed_by_reviews_names_the_review_that_changed_it() -> None:
    data = draw(images=100, noise=0.4)
    found = probe(data.clusters, words(np.zeros_like(data.truth)))
    artefacts, core = np.flatnonzero(data.truth), int(np.flatnonzero(data.kind == 1)[0])
    agreed = consensus(found, {int(artefacts[0]): True, core: False})
    changed = np.flatnonzero(agreed.reason >= 0)
    assert len(changed) > 10
    assert (agreed.reason[changed] == artefacts[0]).all()
    assert all(agreed.source[index] == "probe" for index in changed)
    assert (agreed.reason[[artefacts[0], core]] == -1).all()


def test_the_nearest_clusters_are_of_the_same_kind_and_of_other_images() -> None:
    data = draw(images=50, noise=0.3)
    found = probe(data.clusters, words(data.truth))
    rows = nearest(found, count=4)
    assert rows.shape == (200, 4)
    assert (data.kind[rows] == data.kind[:, None]).mean() > 0.98
    assert (data.clusters.images[rows] != data.clusters.images[:, None]).all()
    ranked = np.take_along_axis(found.similarity, rows, axis=1)
    assert (np.diff(ranked, axis=1) <= 0).all()


def test_where_there_are_too_few_others_the_nearest_are_fewer() -> None:
    data = draw(images=2)
    rows = nearest(probe(data.clusters, words(data.truth)), count=6)
    assert (rows[:, :4] >= 0).all()
    assert (rows[:, 4:] == -1).all()


def test_few_images_leave_every_verdict_with_the_judge_and_that_is_said() -> None:
    data = draw(images=method.LEAST_IMAGES - 1)
    judged = words(data.truth)
    found = probe(data.clusters, judged)
    agreed = consensus(found, {0: not data.truth[0]})
    assert found.fell_back is FellBack.FEW_IMAGES
    assert (agreed.spurious[1:] == data.truth[1:]).all()
    np.testing.assert_allclose(agreed.p_spurious[1:], judged[1:])
    assert agreed.source == ("review", *["judge"] * (len(judged) - 1))


@pytest.mark.parametrize("verdict", [True, False])
def test_a_judge_with_one_verdict_keeps_it_where_nobody_dissents(verdict: bool) -> None:
    data = draw()
    found = probe(data.clusters, words(np.full_like(data.truth, verdict)))
    agreed = consensus(found, {})
    assert found.fell_back is FellBack.ONE_VERDICT
    assert found.prevalence == float(verdict)
    assert (agreed.spurious == verdict).all()
    assert not agreed.overruled.any()
    dissent = int(np.flatnonzero(data.truth != verdict)[0])
    assert (consensus(found, {dissent: not verdict}).spurious != verdict).sum() > 5


def test_a_judge_that_throws_dice_is_not_improved_upon_and_that_is_said() -> None:
    data = draw(images=100)
    thrown = np.random.default_rng(11).random(len(data.truth)) < 0.5
    found = probe(data.clusters, words(thrown))
    assert found.fell_back is FellBack.NO_PATTERN
    assert (consensus(found, {}).spurious == thrown).all()


def test_few_spurious_clusters_are_found_though_the_judge_errs_on_two_words_of_five() -> None:
    data = draw(images=400, with_artefact=0.3, noise=0.4)
    assert data.truth.mean() < 0.1
    for seed in range(100, 104):
        wrong = np.random.default_rng(seed).random(len(data.truth)) < 0.4
        found = probe(data.clusters, words(data.truth, wrong))
        assert found.fell_back is FellBack.NOT
        assert balanced(data.truth ^ wrong, data.truth) < 0.7
        assert balanced(consensus(found, {}).spurious, data.truth) > 0.85


def test_reviews_alone_settle_what_a_judge_that_throws_dice_says() -> None:
    data = draw(images=150, noise=0.5)
    thrown = np.random.default_rng(11).random(len(data.truth)) < 0.4
    found = probe(data.clusters, words(thrown))
    some = [int(index) for kind in range(3) for index in np.flatnonzero(data.kind == kind)[:8]]
    agreed = consensus(found, {index: bool(data.truth[index]) for index in some})
    assert found.fell_back is FellBack.NO_PATTERN
    assert balanced(agreed.spurious, data.truth) > 0.8
    for source, verdict, judged in zip(agreed.source, agreed.spurious, thrown, strict=True):
        assert source == "review" or (source == "judge") == (verdict == judged)


def test_clusters_without_a_word_get_their_verdict_from_the_others_and_are_not_overruled() -> None:
    data = draw(images=100, noise=0.4)
    judged = words(data.truth)
    judged[::5], judged[1::5] = np.nan, 0.5
    agreed = consensus(probe(data.clusters, judged), {})
    silent = np.isnan(judged) | (judged == 0.5)
    assert balanced(agreed.spurious[silent], data.truth[silent]) > 0.95
    assert not agreed.overruled[silent].any()


def test_an_unsure_word_counts_less() -> None:
    data = draw(images=60)
    wrong = data.clusters.images % 5 != 0  # four images of five are judged the wrong way round
    unsure = np.where(words(data.truth, wrong) > 0.5, 0.55, 0.45)
    as_told = np.where(wrong, unsure, words(data.truth))
    found = [consensus(probe(data.clusters, judged), {}).spurious for judged in (as_told, words(data.truth, wrong))]
    assert balanced(found[0], data.truth) > 0.9
    assert balanced(found[1], data.truth) < 0.1


def test_the_same_words_give_the_same_consensus() -> None:
    data = draw()
    wrong = np.random.default_rng(14).random(len(data.truth)) < 0.2
    first, second = (consensus(probe(data.clusters, words(data.truth, wrong)), {3: True, 90: False}) for _ in range(2))
    assert first.p_spurious.tobytes() == second.p_spurious.tobytes()
    assert first.nearest.tobytes() == second.nearest.tobytes()


def test_words_and_clusters_must_be_as_many() -> None:
    data = draw()
    with pytest.raises(ValueError, match=r"There are 240 clusters and 239 words of the judge\."):
        probe(data.clusters, words(data.truth)[1:])


def test_the_difference_to_the_judge_is_told_over_all_and_for_the_kind_it_lies_in() -> None:
    data = draw(images=100, noise=0.3)
    found = probe(data.clusters, words(np.zeros_like(data.truth)))
    artefacts = np.flatnonzero(data.truth)
    core, background = (np.flatnonzero(data.kind == kind)[:6] for kind in (1, 2))
    reviews: Mapping[int, bool] = {
        int(index): bool(data.truth[index]) for index in (*artefacts[:6], *core, *background)
    }
    everything, first, *others = disagreement(data.clusters, found.judged, consensus(found, reviews), data.kind)
    assert first.clusters.tolist() == artefacts.tolist()
    assert (first.judged_spurious, first.reviewed) == (0, 6)
    assert first.found_spurious == first.differs > 0.9
    assert all(other.differs < 0.05 for other in others)
    assert len(everything.clusters) == 400
    assert everything.differs == pytest.approx(
        sum(part.differs * len(part.clusters) for part in (first, *others)) / 400
    )
    assert everything.share == pytest.approx(first.share + sum(other.share for other in others), rel=0.5)


def test_without_kinds_the_difference_is_told_over_all_only() -> None:
    data = draw()
    found = probe(data.clusters, words(data.truth))
    assert len(disagreement(data.clusters, found.judged, consensus(found, {}))) == 1
