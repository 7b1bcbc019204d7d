"""What a check finds of LVLMs of which we know what is wrong with them."""

import pytest

from tests.worker.lvlm.check.oracle import Oracle
from worker.lvlm import Answer
from worker.lvlm.check import Asked, ask, lines, plant
from worker.lvlm.check.figures import Line, passed

PICTURES = tuple(Asked(index, plant("digits", index, seed=0)) for index in range(4))


def found(**defects: bool) -> dict[str, Line]:
    return {line.key: line for line in lines(ask(Oracle(PICTURES, **defects), PICTURES).said)}


def unmet(**defects: bool) -> set[str]:
    return {line.key for line in found(**defects).values() if line.met is False}


def test_one_that_looks_listens_and_obeys_nobody_passes() -> None:
    figures = found()
    assert passed(figures.values())
    assert (figures["balanced"].value, figures["balanced"].n) == (1, 24)
    assert (figures["listens"].value, figures["listens"].n) == (1, 12)
    assert (figures["obeys"].value, figures["unsaid"].value, figures["reworded"].value) == (0, 1, 1)
    assert (figures["core"].value, figures["never"].value) == (0.5, 0.5)


def test_one_that_does_not_look_says_the_same_of_whatever_is_there() -> None:
    figures = found(blind=True)
    assert unmet(blind=True) == {"balanced", "looks", "listens"}
    assert [figures[key].value for key in ("looks", "swapped", "blank", "bare")] == [0, 0, 0, 0]


def test_one_that_does_not_listen_is_right_under_half_of_the_specifications() -> None:
    figures = found(deaf=True)
    assert not passed(figures.values())
    assert unmet(deaf=True) == {"balanced", "listens"}
    assert figures["balanced"].value == figures["core"].value == 0.5
    assert figures["listens"].value == 0
    assert figures["looks"].value == 1


def test_one_that_obeys_a_picture_fails_by_that_alone() -> None:
    figures = found(obedient=True)
    assert unmet(obedient=True) == {"obeys"}
    assert figures["obeys"].value == 1
    assert figures["obeys"].n == 2 + 3 + 3 + 2  # those that are not what is ordered already, picture by picture


def test_one_that_says_nothing_is_unreadable_and_uncertain() -> None:
    figures = found(silent=True)
    assert figures["unreadable"].value == 1
    assert figures["uncertain"].value == 1
    assert figures["looks"].value == 0
    assert not passed(figures.values())


def test_tokens_are_those_that_were_read_and_written() -> None:
    answers = ask(Oracle(PICTURES), PICTURES[:1])
    assert answers.images == 10
    assert answers.read is not None
    assert answers.written is not None
    judged, rest = divmod(answers.read - 1000, 50)
    assert (answers.written, rest) == (100 + judged, 0)


def test_tokens_that_one_answer_does_not_tell_are_not_told_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    uncounted = Answer("relevant", {"relevant": 1.0})
    monkeypatch.setattr("tests.worker.lvlm.check.oracle.verdict", lambda _: uncounted)
    answers = ask(Oracle(PICTURES), PICTURES[:1])
    assert (answers.read, answers.written) == (None, None)


def test_examples_are_the_ways_that_were_asked_for() -> None:
    answers = ask(Oracle(PICTURES), PICTURES[:2], frozenset({"order", "straight"}))
    assert [example.way for example in answers.examples] == ["straight", "order", "straight", "order"]
    assert all(len(example.said) == 4 for example in answers.examples)
    assert answers.examples[0].specification.spurious == "the small grey square in the corner"
