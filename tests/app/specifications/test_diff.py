import pytest

from app.specifications.diff import Change, Span, word_diff

TEXTS = ["", "letters", "letters or initials", "small letters,\ninitials", "the joint space (narrowed)"]


@pytest.mark.parametrize("before", TEXTS)
@pytest.mark.parametrize("after", TEXTS)
def test_nothing_is_lost_in_a_diff(before: str, after: str) -> None:
    spans = word_diff(before, after)
    assert "".join(span.text for span in spans if span.change is not Change.ADDED) == before
    assert "".join(span.text for span in spans if span.change is not Change.REMOVED) == after


def test_one_changed_word_is_one_removed_and_one_added() -> None:
    assert word_diff("ignore grey letters", "ignore white letters") == [
        Span(Change.SAME, "ignore "),
        Span(Change.REMOVED, "grey"),
        Span(Change.ADDED, "white"),
        Span(Change.SAME, " letters"),
    ]
