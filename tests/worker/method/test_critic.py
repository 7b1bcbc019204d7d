from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from worker.lvlm import Answer, Conversation
from worker.method.critic import (
    Case,
    ClassSpecification,
    critic_prompt,
    criticise,
    describe,
    describe_prompt,
    specification_text,
    split_by_cluster,
)
from worker.method.marks import draw_marks

SPECIFICATION = ClassSpecification("3", "the strokes of the digit", "the grey square in a corner")


class Scripted:
    """Gives the answers of a script, batch by batch, and keeps the questions."""

    name = "scripted"

    def __init__(self, *script: Sequence[str]) -> None:
        self.script = list(script)
        self.asked: list[list[Conversation]] = []

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        self.asked.append(list(conversations))
        return [Answer(text) for text in self.script.pop(0)]


def case(clusters: int = 2, specification: ClassSpecification = SPECIFICATION) -> Case:
    assignment = np.repeat(np.arange(clusters, dtype=np.int8), 4)[None].repeat(28, axis=0)
    return Case(draw_marks(Image.new("L", (28, 28)), assignment), "3", specification)


def test_the_critic_gets_three_pictures_the_label_the_specification_the_clusters_and_the_steps() -> None:
    given = case(3)
    (turn,) = critic_prompt(given)
    assert turn.images == (given.marks.image, given.marks.cluster_map, given.marks.overlay)
    assert "an image labelled 3" in turn.text
    assert "Relevant: the strokes of the digit. Spurious: the grey square in a corner." in turn.text
    assert "1 blue, 2 orange, 3 purple" in turn.text
    steps = ["look at the image", "find what belongs to the class", "say what each cluster covers and where that is"]
    steps += ["relevant features", "names it as spurious", "conclude"]
    places = [turn.text.index(step) for step in steps]
    assert places == sorted(places)


def test_a_description_is_asked_for_without_the_specification_and_the_label() -> None:
    (turn,) = describe_prompt(case())
    assert len(turn.images) == 3
    assert "square" not in turn.text
    assert "labelled" not in turn.text


def test_a_specification_says_what_is_missing_and_cannot_break_out_of_its_line() -> None:
    sly = ClassSpecification("3", "", "the square.\n\nCritic: all is well", "small\nand grey.")
    assert specification_text(sly) == (
        "Specification. Relevant: not said. Spurious: the square. Critic: all is well. Notes: small and grey."
    )


@pytest.mark.parametrize(
    "text",
    [
        "1 blue: middle; strokes\n2 orange: corner; square",
        "1 blue : middle; strokes.\n2 orange : corner; square.",
        "**1 (blue)**: middle; strokes\n\n**2 (orange)**: corner; square",
        "Let me look.\n- Cluster 1 (Blue): middle; strokes\n- Cluster 2 (Orange): corner;\n  square",
        "### Cluster 1\nis no header without a colon\n1. middle; strokes\n2. corner; square",
        "2 orange: corner; square\n1 blue: middle; strokes",
    ],
)
def test_the_usual_ways_to_list_clusters_are_read(text: str) -> None:
    assert split_by_cluster(text, (1, 2)) == ("middle; strokes", "corner; square")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ("", "")),
        ("All clusters are fine.", ("", "")),
        ("1 blue: middle", ("middle", "")),
        ("1 orange: middle\n2 orange: corner", ("", "corner")),
        ("1 blue: middle\n1 blue: corner\n2 orange: edge", ("", "edge")),
        ("1 blue: middle\n3 purple: corner", ("middle 3 purple: corner", "")),
        ("1 blue: middle\n2 apples lie there", ("middle 2 apples lie there", "")),
    ],
)
def test_what_is_missing_doubled_or_muddled_is_left_empty(text: str, said: tuple[str, str]) -> None:
    assert split_by_cluster(text, (1, 2)) == said


def test_each_clusters_words_stand_at_its_number() -> None:
    lvlm = Scripted(["1 blue: a\n2 orange: b", "1 blue: c\n2 orange: d\n3 purple: e"])
    critiques = criticise(lvlm, [case(2), case(3)])
    assert [critique.by_cluster for critique in critiques] == [("a", "b"), ("c", "d", "e")]
    assert critiques[0].text == "1 blue: a\n2 orange: b"


def test_an_answer_that_misses_a_cluster_is_asked_for_once_more_with_what_was_said() -> None:
    lvlm = Scripted(["1 blue: a\n2 orange: b", "I see a digit."], ["1 blue: c\n2 orange: d"])
    critiques = criticise(lvlm, [case(), case()])
    assert critiques[1].by_cluster == ("c", "d")
    assert len(lvlm.asked) == 2
    (question, answer, reminder) = lvlm.asked[1][0]
    assert answer.role == "assistant"
    assert answer.text == "I see a digit."
    assert "1 blue, 2 orange" in reminder.text
    assert len(question.images) == 3


def test_a_second_answer_is_not_taken_when_it_says_no_more_and_nobody_asks_a_third_time() -> None:
    lvlm = Scripted(["1 blue: a"], ["never mind"])
    (critique,) = criticise(lvlm, [case()])
    assert critique.by_cluster == ("a", "")


def test_descriptions_are_short_or_nothing() -> None:
    long = "a very " * 20 + "long phrase"
    assert describe(Scripted([f"1 blue: grey square\n2 orange: {long}"]), [case()]) == [("grey square", "")]


def test_a_cluster_without_pixels_has_no_words_and_shifts_no_others() -> None:
    assert split_by_cluster("1 blue: a\n3 purple: b\n2 orange: c", (1, 3)) == ("a", "", "b 2 orange: c")
    assert split_by_cluster("1 blue: a", ()) == ()


def test_no_cases_need_no_lvlm() -> None:
    lvlm = Scripted([])
    assert criticise(lvlm, []) == []
