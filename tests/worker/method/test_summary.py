import pytest

from worker.method.summary import UNNAMED, ClusterFacts, place, summarise

STROKE, SQUARE = "the digit strokes", "a grey square"


def facts(image: str, share: float, words: str, where: str = "middle", effect: float | None = None) -> ClusterFacts:
    return ClusterFacts(image, 1, share, where, words, effect)


def test_without_any_words_of_an_lvlm_places_are_told_and_told_once() -> None:
    clusters = [facts("a", 0.75, "", "upper left corner"), facts("a", 0.25, "", "middle")]
    (what,) = summarise("3", clusters, images=1)
    assert what.text == (
        "75% of the evidence for 3 lies on the upper left corner, in 1 of 1 images, "
        "25% on the middle, in 1 of 1 images."
    )


@pytest.mark.parametrize(
    ("mean", "spread", "words"),
    [
        ((0.07, 0.07), 0.04, "upper left corner"),
        ((0.93, 0.07), 0.04, "upper right corner"),
        ((0.07, 0.93), 0.04, "lower left corner"),
        ((0.93, 0.93), 0.04, "lower right corner"),
        ((0.5, 0.5), 0.1, "middle"),
        ((0.5, 0.1), 0.1, "upper part"),
        ((0.5, 0.7), 0.1, "lower part"),
        ((0.3, 0.5), 0.1, "left part"),
        ((0.9, 0.5), 0.1, "right part"),
        ((0.3, 0.3), 0.1, "upper left part"),
        ((0.1, 0.25), 0.1, "upper left part"),
        ((0.7, 0.65), 0.1, "lower right part"),
        ((0.5, 0.5), 0.25, "large part of the image"),
    ],
)
def test_places_have_plain_names(mean: tuple[float, float], spread: float, words: str) -> None:
    assert place(mean, spread) == words


def test_the_figures_are_those_computed_by_hand() -> None:
    clusters = [
        facts("a", 0.5, STROKE),
        facts("a", 0.3, SQUARE, "upper left corner"),
        facts("a", 0.2, STROKE),
        facts("b", 0.9, STROKE),
        facts("b", 0.1, SQUARE, "upper left corner"),
        facts("c", 0.6, SQUARE, "lower left corner"),
        facts("c", 0.4, ""),
    ]
    what, *where = summarise("3", clusters, images=4)
    # (0.5 + 0.2 + 0.9) / 4, (0.3 + 0.1 + 0.6) / 4, 0.4 / 4
    assert what.text == (
        f"40% of the evidence for 3 lies on {STROKE}, in 2 of 4 images, 25% on {SQUARE}, in 3 of 4 images, "
        f"10% on {UNNAMED}, in 1 of 4 images."
    )
    assert where[0].text == "The digit strokes: 3 of 3 clusters lie in the middle."
    assert where[1].text == "A grey square: 2 of 3 clusters lie in the upper left corner."


def test_every_figure_opens_its_images_with_the_most_evidence_first() -> None:
    clusters = [facts("a", 0.3, SQUARE), facts("b", 0.9, SQUARE), facts("a", 0.4, SQUARE), facts("c", 0.7, STROKE)]
    sentences = summarise("3", clusters, images=3)
    figures = [part for sentence in sentences for part in sentence.parts if part.image_ids]
    assert [part.image_ids for part in figures] == [("b", "a"), ("c",), ("b", "a"), ("c",)]


def test_the_effect_of_covering_is_the_mean_over_images_of_the_largest_change() -> None:
    clusters = [
        facts("a", 0.5, SQUARE, effect=-0.6),
        facts("a", 0.1, SQUARE, effect=0.1),
        facts("b", 0.5, SQUARE, effect=-0.2),
        facts("b", 0.5, STROKE),
    ]
    *_, effect = summarise("3", clusters, images=2)
    assert effect.text == (
        "Covering it (a grey square) lowers the probability of 3 by 0.40 on average, measured on 2 images."
    )
    assert effect.parts[2].image_ids == ("a", "b")


def test_only_the_three_largest_kinds_are_named_and_ties_go_by_name() -> None:
    clusters = [facts("a", 0.25, words) for words in ("d", "c", "b", "a")]
    what, *where = summarise("3", clusters, images=1)
    assert len(where) == 3
    assert what.text.startswith("25% of the evidence for 3 lies on a, in 1 of 1 images, 25% on b,")
    assert " on d," not in what.text


def test_a_class_without_evidence_gets_one_sentence() -> None:
    assert [sentence.text for sentence in summarise("3", [], images=0)] == ["No evidence for 3 was found."]


def test_clusters_without_images_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="no images"):
        summarise("3", [facts("a", 0.5, SQUARE)], images=0)
