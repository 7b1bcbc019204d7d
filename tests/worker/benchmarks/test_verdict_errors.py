import numpy as np
import pytest

from worker.benchmarks.verdict_errors import independent, misjudged_kind, of_one_class, spoken

TRUTH = np.arange(4000) % 6 == 0
PLACES = np.array(["middle", "middle", "upper part", "left part", "middle", "upper part"])[np.arange(4000) % 6]


@pytest.mark.parametrize("rate", [0.0, 0.13, 0.25])
def test_independent_errors_come_at_their_rate_on_either_side(rate: float) -> None:
    verdicts = independent(TRUTH, rate, np.random.default_rng(0))
    for side in (TRUTH, ~TRUTH):
        assert (verdicts != TRUTH)[side].mean() == pytest.approx(rate, abs=0.04)


def test_a_judge_says_its_verdict_and_is_as_sure_where_it_errs() -> None:
    verdicts = independent(TRUTH, 0.25, np.random.default_rng(1))
    p = spoken(verdicts, np.random.default_rng(2))
    assert ((p > 0.5) == verdicts).all()
    sure, wrong = np.abs(p - 0.5), verdicts != TRUTH
    assert sure[wrong].mean() == pytest.approx(sure[~wrong].mean(), abs=0.01)
    assert np.median(sure) == pytest.approx(0.45, abs=0.01)


def test_every_second_draw_is_wrong_about_the_artefact_and_the_others_about_one_place() -> None:
    for draw in range(6):
        kind = misjudged_kind(TRUTH, PLACES, draw, np.random.default_rng(draw))
        if draw % 2 == 0:
            assert (kind == TRUTH).all()
        else:
            places = np.unique(PLACES[kind])
            assert len(places) == 1
            assert (kind == (~TRUTH & (places[0] == PLACES))).all()


def test_a_place_that_holds_next_to_nothing_is_no_kind() -> None:
    places = PLACES.copy()
    places[np.flatnonzero(~TRUTH)[:10]] = "lower part"
    drawn = {str(places[misjudged_kind(TRUTH, places, 1, np.random.default_rng(seed))][0]) for seed in range(30)}
    assert drawn == {"middle", "upper part", "left part"}


def test_of_one_class_keeps_one_class_and_changes_it_from_draw_to_draw() -> None:
    classes = np.arange(4000) // 6 % 3
    parts = [of_one_class(TRUTH, classes, draw) for draw in (0, 2, 4)]
    assert [np.unique(classes[part]).tolist() for part in parts] == [[0], [1], [2]]
    assert sum(part.sum() for part in parts) == TRUTH.sum()


def test_a_class_with_hardly_any_of_the_kind_is_passed_over() -> None:
    kind = np.zeros(100, dtype=bool)
    kind[[0, 1, 2, 50, 51, 52, 53, 54, 55]] = True
    classes = np.arange(100) // 50
    assert of_one_class(kind, classes, 0).sum() == 6
    assert of_one_class(kind, classes, 2).sum() == 6
    kind[50:53] = False  # now neither class has enough, and the one with more is taken
    kind[3] = True
    assert np.flatnonzero(of_one_class(kind, classes, 0)).tolist() == [0, 1, 2, 3]
