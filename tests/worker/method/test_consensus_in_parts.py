import numpy as np
import pytest

from tests.worker.method.drawn_clusters import balanced, draw, words
from worker.method.consensus import FellBack, consensus, probe
from worker.method.consensus_in_parts import agree, are_enough, parts
from worker.method.next_to_review import next_to_review

BACKGROUND = 2
IMAGES = np.repeat(np.arange(100), 4)


def test_a_small_run_is_one_part() -> None:
    data = draw(images=40)
    judged, reviews = words(data.truth), {3: True, 20: False}
    found = probe(data.clusters, judged)
    slow, whole = consensus(found, reviews), agree(data.clusters, judged, reviews, 5)
    for name in ("p_spurious", "spurious", "overruled", "nearest", "reason"):
        np.testing.assert_array_equal(getattr(whole.consensus, name), getattr(slow, name))
    assert whole.consensus.source == slow.source
    assert whole.order == next_to_review(found, reviews, 5)
    assert whole.fell_back is FellBack.NOT


@pytest.mark.parametrize("reviewed", [[], [0, 1, 7, 399], list(range(0, 300, 4))])
def test_every_image_is_whole_and_in_some_part_and_no_part_is_much_too_large(reviewed: list[int]) -> None:
    found = list(parts(IMAGES, reviewed, seed=1, most=150))
    assert len(found) > 1
    assert max(len(members) for members in found) <= 150 * 1.1
    for members in found:
        assert np.isin(IMAGES, IMAGES[members]).sum() == len(members)
    assert sorted(np.unique(np.concatenate(found))) == list(range(400))


def test_the_reviewed_images_are_in_every_part_unless_they_would_fill_it() -> None:
    for members in parts(IMAGES, [0, 1, 7, 399], most=150):
        assert {0, 1, 7, 399} <= set(members.tolist())
    many = list(parts(IMAGES, list(range(0, 300, 4)), most=150))
    assert all(80 > sum(each in members for each in range(0, 300, 4)) > 15 for members in many)


def test_the_seed_deals_the_images() -> None:
    first, again, other = (list(parts(IMAGES, [5], seed, most=200)) for seed in (0, 0, 1))
    assert all((one == two).all() for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_a_kind_that_is_misjudged_everywhere_is_set_right_in_every_part_by_the_same_few_reviews() -> None:
    data = draw(images=150, noise=0.4)
    artefact = np.flatnonzero(data.truth)
    judged = words(np.zeros_like(data.truth))
    judged[np.random.default_rng(0).random(600) < 0.1] = 0.95
    reviews = {int(index): True for index in artefact[:6]} | {int(index) + 1: False for index in artefact[:6]}
    found = agree(data.clusters, judged, reviews, 12, most=250)
    members = list(parts(data.clusters.images, reviews, most=250))
    assert len(members) > 2
    for part in members:
        assert balanced(found.consensus.spurious[part], data.truth[part]) > 0.9
    assert all(found.consensus.p_spurious[index] == answer for index, answer in reviews.items())


def test_nearest_and_reason_name_clusters_of_the_whole_run() -> None:
    data = draw(images=90, noise=0.2)
    artefact = np.flatnonzero(data.truth)
    judged = words(data.kind == BACKGROUND)
    found = agree(data.clusters, judged, {int(index): True for index in artefact[:5]}, 0, most=150).consensus
    alike = data.kind[found.nearest] == data.kind[:, None]
    assert alike.mean() > 0.95
    assert (data.clusters.images[found.nearest] != data.clusters.images[:, None]).all()
    assert set(found.reason.tolist()) <= {-1, *artefact[:5].tolist()}
    assert (found.reason >= 0).sum() > 20


def test_what_to_review_next_comes_from_the_parts_in_turn_and_leaves_out_what_nobody_is_to_be_asked() -> None:
    data = draw(images=90)
    judged, reviews = words(data.truth), {2: False}
    plain = agree(data.clusters, judged, reviews, 8, most=150).order
    assert len(set(plain)) == 8
    members = list(parts(data.clusters.images, reviews, most=150))
    firsts = {next(number for number, part in enumerate(members) if each in part) for each in plain[: len(members)]}
    assert firsts == set(range(len(members)))
    left_out = agree(data.clusters, judged, reviews, 8, not_these=plain[:3], most=150).order
    assert not {2, *plain[:3]} & set(left_out)


def test_the_work_can_be_stopped_between_the_parts_and_says_why_nothing_was_read() -> None:
    data, seen = draw(images=60), list[int]()
    agree(data.clusters, words(data.truth), {}, 0, most=100, check=lambda: seen.append(1))
    assert len(seen) == 3
    few = draw(images=9)
    assert agree(few.clusters, words(few.truth), {}, 0).fell_back is FellBack.FEW_IMAGES


def test_reviews_alone_are_carried_over_once_they_are_enough() -> None:
    data = draw(images=100, noise=0.4)
    unjudged = np.full(400, np.nan)
    artefact, other = np.flatnonzero(data.truth), np.flatnonzero(~data.truth)
    enough = {int(each): True for each in artefact[:4]} | {int(each): False for each in other[:8]}
    assert balanced(agree(data.clusters, unjudged, enough, 0).consensus.spurious, data.truth) > 0.9
    for few in (dict(list(enough.items())[1:4]), dict(list(enough.items())[3:])):
        assert not are_enough(few)
        found = agree(data.clusters, unjudged, few, 4)
        left = np.isin(np.arange(400), list(few), invert=True)
        assert set(found.consensus.p_spurious[left].tolist()) == {0.5}
        assert [found.consensus.p_spurious[each] for each in few] == [float(answer) for answer in few.values()]
        assert {found.consensus.source[each] for each in few} == {"review"}
        assert len(found.order) == 4


def test_a_review_that_is_not_carried_over_still_overrules_the_judge() -> None:
    data = draw(images=20)
    judged = np.full(80, 0.1)
    judged[3] = np.nan
    found = agree(data.clusters, judged, {1: True, 2: False, 3: True}, 0).consensus
    assert np.flatnonzero(found.overruled).tolist() == [1]
