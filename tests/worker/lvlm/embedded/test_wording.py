from typing import get_args

import numpy as np
import pytest

from worker.lvlm.embedded.scenes import DOMAINS, Scene
from worker.lvlm.embedded.tints import TINTS, colour_word
from worker.lvlm.embedded.wording import (
    FORMS,
    THINGS,
    New,
    Wording,
    critique_of,
    description,
    p_spurious,
    retold,
    size,
    some_meaning,
    specify,
    thing_of,
    verdict,
    what_is_said,
    where,
    worded,
)


def scene() -> Scene:
    """Cluster 1 on the square, 2 half and half, 3 on the strokes with a little square, 4 on the ground."""
    assignment = np.full((28, 28), -1, dtype=np.int8)
    assignment[:4, :4], assignment[:4, 24:], assignment[10:18, 10:18], assignment[24:, 12:16] = 0, 1, 2, 3
    image = np.zeros((28, 28), dtype=np.uint8)
    image[:4, :4] = 150
    return Scene(
        domain="digits",
        image=image,
        label=3,
        assignment=assignment,
        artefact_pixels=image > 0,
        core_pixels=np.zeros((28, 28), dtype=np.bool_),
        artefact=(0.95, 0.5, 0.3, 0.0),
        core=(0.0, 0.4, 0.6, 0.2),
    )


def many(count: int = 600, forms: tuple[str, ...] = FORMS) -> list[Wording]:
    generator = np.random.default_rng(0)
    return [specify(DOMAINS[index % 3], int(generator.integers(2)), generator, "", forms) for index in range(count)]


NAMING = tuple(form for form in FORMS if form not in {"empty", "strange"})


def test_a_cluster_covers_the_square_from_half_of_its_evidence_on() -> None:
    assert [thing_of(scene(), number) for number in (1, 2, 3, 4)] == ["artefact", "artefact", "core", "background"]


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


def test_sizes_and_tints_are_words() -> None:
    assert [size(scene(), number) for number in (1, 3)] == ["tiny", "medium"]
    greys = [colour_word((value, value, value)) for value in (10.0, 60.0, 120.0, 180.0, 250.0)]
    assert greys == ["black", "dark grey", "grey", "light grey", "white"]
    colours = [(200, 30, 30), (230, 150, 160), (240, 150, 30), (110, 70, 40), (240, 230, 60), (40, 160, 70)]
    assert [colour_word(rgb) for rgb in colours] == ["red", "pink", "orange", "brown", "yellow", "green"]
    assert [colour_word(rgb) for rgb in ((120, 220, 220), (20, 100, 200), (150, 60, 190), (220, 190, 160))] == [
        *("turquoise", "blue", "purple", "beige")
    ]
    generator = np.random.default_rng(0)
    assert {colour_word(tuple(generator.uniform(0, 255, 3))) for _ in range(4000)} <= set(TINTS)


def test_specifications_are_turned_over_as_often_as_not() -> None:
    for domain in range(3):
        mine = many(1800, NAMING)[domain::3]
        spurious = [words for words in mine if words.status["artefact"] == "spurious"]
        relevant = [words for words in mine if words.status["artefact"] == "relevant"]
        assert len(spurious) / (len(spurious) + len(relevant)) == pytest.approx(0.5, abs=0.06)
        truths = [verdict(thing, words) for words in mine for thing in ("artefact", "core")]
        assert truths.count("spurious") / len(truths) == pytest.approx(0.5, abs=0.06)


def test_every_specification_says_something_and_its_words_vary() -> None:
    texts = {(words.specification.relevant, words.specification.spurious) for words in many(600, NAMING)}
    assert len(texts) > 580
    assert all(relevant or spurious for relevant, spurious in texts)
    assert not any("{" in text for pair in texts for text in pair)


def test_what_is_not_named_is_spurious_only_where_nothing_is_named_as_spurious() -> None:
    for words in many(600, NAMING):
        nothing = not words.specification.spurious and "spurious" not in words.status.values()
        assert (words.rest == "spurious") == nothing


def test_nobody_can_tell_under_an_empty_specification_or_one_in_words_that_do_not_exist() -> None:
    for words in many(100, ("empty",)):
        assert not words.specification.relevant
        assert not words.specification.spurious
        assert {verdict(thing, words) for thing in THINGS} == {"uncertain"}
    strange = many(300, ("strange",))
    assert all("unknown" in words.status.values() for words in strange)
    said = {(what_is_said(thing, words), verdict(thing, words)) for words in strange for thing in THINGS}
    assert said == {
        *(("not known", "uncertain"), ("named as relevant", "relevant"), ("named as spurious", "spurious")),
    }


def test_one_meaning_in_two_wordings_says_the_same() -> None:
    generator = np.random.default_rng(0)
    for _ in range(100):
        meaning = some_meaning(generator, ("both", "rest", "except", "not"))
        one, other = (worded(meaning, "skin", 1, generator) for _ in range(2))
        assert one.status == other.status
        assert one.rest == other.rest


@pytest.mark.parametrize("new", get_args(New))
def test_every_part_of_the_language_makes_specifications(new: New) -> None:
    generator = np.random.default_rng(0)
    assert all(specify(domain, 0, generator, new).specification.name for domain in DOMAINS for _ in range(30))


def test_a_critique_says_object_colour_place_size_specification_and_conclusion() -> None:
    words = next(words for words in many() if words.status["artefact"] == "spurious")
    assert critique_of(scene(), 1, words) == ("grey square; grey; upper left corner; tiny; named as spurious; spurious")


def test_mixed_evidence_is_judged_in_its_proportion() -> None:
    words = next(
        words
        for words in many()
        if words.status == {"artefact": "spurious", "core": "relevant", "background": "unnamed"}
        and words.rest == "relevant"
    )
    assert [p_spurious(scene(), number, words) for number in (1, 2, 3, 4)] == pytest.approx([1.0, 0.5, 0.3, 0.0])


def test_retold_critiques_never_contradict_the_truth() -> None:
    generator = np.random.default_rng(0)
    for words in many(200, NAMING):
        text = retold(scene(), 1, words, generator)
        opposite = {"spurious": "relevant", "relevant": "spurious"}[verdict("artefact", words)]
        assert f"Conclusion: {opposite}" not in text
        assert not text.endswith(f"; {opposite}")


@pytest.mark.parametrize("form", ["both", "not", "notes"])
def test_the_mentions_are_the_words_that_name_the_things(form: str) -> None:
    for words in many(60, (form,)):
        told = words.specification
        text = f"{told.relevant} {told.spurious} {told.notes}".lower()
        assert all(said.lower() in text for said, _ in words.mentions)
        named = {thing for _, thing in words.mentions}
        left = {thing for thing, status in words.status.items() if status == "unnamed"}
        assert named | left == set(THINGS)
        assert not named & left
