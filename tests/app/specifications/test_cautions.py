from collections.abc import Mapping, Sequence
from types import MappingProxyType
from uuid import UUID, uuid4

import pytest

from app.runs.parameters import EntryText
from app.specifications.cautions import cautions_on

HEALTHY, SICK = uuid4(), uuid4()
NAMES: dict[UUID, str] = {HEALTHY: "healthy", SICK: "sick"}


def texts(*entries: EntryText, seen: Mapping[UUID, Sequence[str]] = MappingProxyType({})) -> list[str]:
    return [caution.text for caution in cautions_on(entries, NAMES, seen)]


def entry(class_id: UUID, spurious: str, relevant: str) -> EntryText:
    return EntryText(class_id=class_id, spurious=spurious, relevant=relevant)


def test_whole_words_get_no_caution() -> None:
    assert texts(entry(HEALTHY, "letters", "joint space"), entry(SICK, "letters", "bone spurs")) == []


def test_a_class_without_a_word_is_named() -> None:
    assert texts(entry(HEALTHY, " ", ""), entry(SICK, "letters", "spurs")) == [
        "Nothing is said of healthy: its pictures will come back as uncertain."
    ]


def test_each_missing_half_is_asked_for() -> None:
    without_use, without_ignore = texts(entry(HEALTHY, "letters", ""), entry(SICK, "", "spurs"))
    assert without_use.startswith("What should the model use for healthy?")
    assert without_ignore.startswith("What should the model ignore for sick?")


def test_a_feature_to_ignore_here_and_to_use_there_is_a_contradiction() -> None:
    found = texts(entry(HEALTHY, "the letters, or initials", "bone"), entry(SICK, "markers", "spurs and a letter"))
    assert found == ["“the letters” is to be ignored for healthy, and to be used for sick."]


def test_a_feature_both_ignored_and_used_for_one_class_is_a_contradiction() -> None:
    found = texts(entry(HEALTHY, "grey square", "stroke; grey squares"))
    assert found == ["“grey square” is to be ignored for healthy, and to be used too."]


def test_a_longer_feature_with_the_same_word_is_no_contradiction() -> None:
    assert texts(entry(HEALTHY, "bone of the other leg", "bone")) == []


@pytest.mark.parametrize("words", ["abnormal area", "artefacts", "Unusual regions of the image", "any other things"])
def test_words_that_could_be_anything_are_asked_to_be_plainer(words: str) -> None:
    for found in (
        texts(entry(HEALTHY, f"letters, {words}", "bone")),
        texts(entry(HEALTHY, "letters", f"bone and {words}")),
    ):
        assert found == [
            f"“{words}” could be anything: say what it looks like, such as its shape, its colour or its place."
        ]


@pytest.mark.parametrize("words", ["abnormal joint space", "artefacts of the plaster", "area under the knee cap"])
def test_a_vague_word_beside_a_plain_one_is_plain_enough(words: str) -> None:
    assert texts(entry(HEALTHY, "letters", words)) == []


def test_a_feature_that_no_region_is_called_by_is_doubted_once_for_each_class() -> None:
    seen = {HEALTHY: ["side marker", "knee joint"], SICK: []}
    words = entry(HEALTHY, "side markers, rulers; the hair", "the joint")
    (found,) = texts(words, entry(SICK, "rulers", "bone"), seen=seen)
    assert found.startswith(
        "In the pictures of healthy the LVLM called no region anything like “rulers” or “the hair”."
    )
    assert texts(entry(HEALTHY, "the markers at the side", "joint"), seen=seen) == []
