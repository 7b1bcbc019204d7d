import numpy as np
import pytest

from worker.lvlm.embedded.scenes import Scene
from worker.lvlm.embedded.wording import (
    THINGS,
    critique_of,
    description,
    retold,
    specify,
    thing_of,
    verdict,
    what_is_said,
    where,
)


def scene() -> Scene:
    """Cluster 1 on the square, 2 half and half, 3 on the strokes with a little square, 4 on the ground."""
    assignment = np.full((28, 28), -1, dtype=np.int8)
    assignment[:4, :4], assignment[:4, 24:], assignment[10:18, 10:18], assignment[24:, 12:16] = 0, 1, 2, 3
    return Scene(
        image=np.zeros((28, 28), dtype=np.uint8),
        label=3,
        assignment=assignment,
        square_pixels=np.zeros((28, 28), dtype=np.bool_),
        square=(0.95, 0.5, 0.3, 0.0),
        ink=(0.0, 0.4, 0.6, 0.2),
    )


def many(count: int = 600) -> list:
    generator = np.random.default_rng(0)
    return [specify(int(generator.integers(10)), generator) for _ in range(count)]


def test_a_cluster_covers_the_square_from_half_of_its_evidence_on() -> None:
    assert [thing_of(scene(), number) for number in (1, 2, 3, 4)] == ["square", "square", "strokes", "background"]


def test_a_description_tells_how_mixed_a_cluster_is() -> None:
    assert [description(scene(), number) for number in (1, 2, 3, 4)] == [
        "grey square",
        "mostly grey square",
        "digit strokes and part of the grey square",
        "empty background",
    ]


def test_places_are_those_of_the_summary() -> None:
    assert [where(scene(), number) for number in (1, 2, 3, 4)] == [
        "upper left corner",
        "upper right corner",
        "middle",
        "lower part",
    ]


def test_specifications_are_turned_over_as_often_as_not() -> None:
    spurious = [words for words in many() if words.status["square"] == "spurious"]
    relevant = [words for words in many() if words.status["square"] == "relevant"]
    assert len(spurious) / (len(spurious) + len(relevant)) == pytest.approx(0.5, abs=0.06)
    truths = [verdict(thing, words) for words in many() for thing in ("square", "strokes")]
    assert truths.count("spurious") / len(truths) == pytest.approx(0.5, abs=0.06)


def test_every_specification_says_something_and_its_words_vary() -> None:
    texts = {(words.specification.relevant, words.specification.spurious) for words in many()}
    assert len(texts) > 590
    assert all(relevant or spurious for relevant, spurious in texts)
    assert not any("{" in text for pair in texts for text in pair)


def test_what_is_not_named_is_spurious_only_where_nothing_is_named_as_spurious() -> None:
    for words in many():
        nothing = not words.specification.spurious and "spurious" not in words.status.values()
        assert (words.rest == "spurious") == nothing


def test_a_critique_says_object_place_specification_and_conclusion() -> None:
    words = next(words for words in many() if words.status["square"] == "spurious")
    assert critique_of(scene(), 1, words) == "grey square; upper left corner; named as spurious; spurious"
    assert {what_is_said(thing, words) for thing in THINGS} <= {"named as spurious", "named as relevant", "not named"}


def test_retold_critiques_never_contradict_the_truth() -> None:
    generator = np.random.default_rng(0)
    for words in many(200):
        text = retold(scene(), 1, words, generator)
        opposite = {"spurious": "relevant", "relevant": "spurious"}[verdict("square", words)]
        assert f"Conclusion: {opposite}" not in text
        assert not text.endswith(f"; {opposite}")
