import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.method.naming import LONGEST, key, most_frequent, shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Grey square", "grey SQUARE"),
        ("a grey square", "the grey square"),
        ("grey squares", "a grey square ."),
        ("mostly grey square", "grey square"),
        ("part of the joint space", "joint space"),
        ("digit strokes and part of the grey square", "the digit stroke"),
        ("Digit strokes, with parts of a letter", "digit strokes"),
        ("edge of the bone", "edges of bones"),
        ("bony bodies", "a bony body"),
        ("“patches”", "patch"),
        ("femoral  condyle\n", "femoral condyles"),
        ("ﬁbula", "fibula"),
    ],
)
def test_words_for_the_same_thing_fall_together(one: str, other: str) -> None:
    assert key(one) == key(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("grey square", "white square"),
        ("letter", "marker"),
        ("upper letter", "lower letter"),
        ("bone and cartilage", "bone"),
        ("not the bone", "bone"),
        ("pelvis", "pelvi"),
    ],
)
def test_words_for_other_things_stay_apart(one: str, other: str) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    "words", ["", "  ", "Unknown.", "not sure", "I don’t know", "a something", "the", "mostly", "part of the"]
)
def test_words_that_name_nothing_have_no_key(words: str) -> None:
    assert key(words) == ""


def test_the_most_frequent_wording_is_shown_as_it_was_said() -> None:
    assert most_frequent(["Joint space", "the joint spaces", "the joint spaces", "joint space"]) == "the joint spaces"
    assert most_frequent(["b", "a"]) == "a"


def test_what_is_shown_steers_neither_a_page_nor_a_terminal_and_leaves_no_quotation() -> None:
    assert shown("a ;.") == "a"
    assert shown("a\x1b[2Jb\u202ec\nd") == "a [2Jb c d"
    assert shown("bone”, 100 % of “it") == "bone', 100 % of 'it"


@given(st.text(max_size=200))
def test_whatever_is_said_is_shown_in_one_short_line_and_shown_again_alike(words: str) -> None:
    line = shown(words)
    assert len(line) <= LONGEST
    assert line.splitlines() in ([], [line])
    assert shown(line) == line


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_case_and_article_never_part_what_is_the_same(words: str) -> None:
    assert key(words) == key(f"the {words}") == key(words.upper().lower())
