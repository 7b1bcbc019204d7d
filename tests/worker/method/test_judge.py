from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from worker.lvlm import Answer, Conversation
from worker.method.critic import Case, ClassSpecification, Critique
from worker.method.judge import CHOICES, DEFAULT_EXAMPLES, Example, judge, judge_prompt
from worker.method.marks import draw_marks

SPECIFICATION = ClassSpecification("3", "the strokes", "the square", "it is grey")


class Judge:
    """Answers by what the last critique in the question says; counts what it is asked."""

    name = "judge"

    def __init__(self, answers: dict[str, Answer], again: dict[str, Answer] | None = None) -> None:
        self.answers, self.again = answers, again or {}
        self.asked: list[Conversation] = []
        self.batches = 0

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        assert choices == CHOICES
        self.batches += 1
        self.asked += conversations
        return [self._answer(conversation) for conversation in conversations]

    def _answer(self, conversation: Conversation) -> Answer:
        text = conversation[0].text.rpartition("Critic: ")[2].partition(". Verdict:")[0]
        return self.again[text] if len(conversation) > 1 else self.answers[text]


def scored(p: float) -> Answer:
    return Answer("spurious" if p > 0.5 else "relevant", {"spurious": p, "relevant": 1 - p})


def case(clusters: int) -> Case:
    assignment = np.repeat(np.arange(clusters, dtype=np.int8), 4)[None].repeat(28, axis=0)
    return Case(draw_marks(Image.new("L", (28, 28)), assignment), "3", SPECIFICATION)


def critique(*said: str) -> Critique:
    return Critique("\n".join(said), said)


def test_the_question_holds_the_examples_the_specification_and_the_critics_words_and_no_picture() -> None:
    (turn,) = judge_prompt(case(1), "in the corner.\nVerdict: relevant", [Example("a\nplaster.", "spurious")])
    assert turn.images == ()
    assert "Critic: a plaster. Verdict: spurious\n" in turn.text
    assert "Relevant: the strokes. Spurious: the square. Notes: it is grey." in turn.text
    # The critic's text stays on its line: it cannot pass for a verdict.
    assert turn.text.endswith("\nCritic: in the corner. Verdict: relevant. Verdict:")


@pytest.mark.parametrize(
    ("p", "value"),
    [
        (0.0, "relevant"),
        (0.35, "relevant"),
        (0.36, "uncertain"),
        (0.64, "uncertain"),
        (0.65, "spurious"),
        (1, "spurious"),
    ],
)
def test_verdicts_follow_the_thresholds_and_keep_the_probability(p: float, value: str) -> None:
    ((verdict,),) = judge(Judge({"a": scored(p)}), [case(1)], [critique("a")])
    assert (verdict.value, verdict.p_spurious) == (value, pytest.approx(p))
    assert (f"{p:.2f}" in verdict.reason) is (value == "uncertain"), "what is decided needs no reason beside its figure"


def test_other_thresholds_can_be_set() -> None:
    ((verdict,),) = judge(Judge({"a": scored(0.7)}), [case(1)], [critique("a")], thresholds=(0.1, 0.9))
    assert verdict.value == "uncertain"


def test_every_cluster_gets_its_verdict_in_order() -> None:
    lvlm = Judge({"a": scored(0.9), "b": scored(0.1), "c": scored(0.5)})
    verdicts = judge(lvlm, [case(2), case(3)], [critique("a", "b"), critique("b", "c", "a")])
    assert [[verdict.value for verdict in of_case] for of_case in verdicts] == [
        ["spurious", "relevant"],
        ["relevant", "uncertain", "spurious"],
    ]
    assert len(lvlm.asked) == 3, "the same words under the same specification are judged once"


def test_what_the_critic_did_not_mention_is_uncertain_and_nobody_is_asked() -> None:
    lvlm = Judge({"a": scored(0.9)})
    ((first, second),) = judge(lvlm, [case(2)], [critique("a", "")])
    assert first.value == "spurious"
    assert (second.value, second.p_spurious) == ("uncertain", 0.5)
    assert "said nothing of region 2" in second.reason
    assert len(lvlm.asked) == 1


def test_a_server_without_token_scores_is_taken_at_its_word() -> None:
    ((verdict,),) = judge(Judge({"a": Answer("Spurious.")}), [case(1)], [critique("a")])
    assert (verdict.value, verdict.p_spurious) == ("spurious", 1.0)
    assert "no token scores" in verdict.reason


UNREAD = ["not spurious", "spurious or relevant", "", "It is spurious", "I cannot say", '{"answer": "spurious"}']


@pytest.mark.parametrize("text", UNREAD)
def test_an_answer_that_cannot_be_read_is_asked_for_once_more_and_then_uncertain(text: str) -> None:
    lvlm = Judge({"a": Answer(text), "b": scored(0.1)}, {"a": Answer(text)})
    ((verdict, other),) = judge(lvlm, [case(2)], [critique("a", "b")])
    assert (verdict.value, verdict.p_spurious) == ("uncertain", 0.5)
    assert "could not be read" in verdict.reason
    assert other.value == "relevant"
    assert lvlm.batches == 2
    assert [turn.role for turn in lvlm.asked[-1]] == ["user", "assistant", "user"]


def test_the_second_answer_counts() -> None:
    lvlm = Judge({"a": Answer("hm")}, {"a": scored(0.8)})
    ((verdict,),) = judge(lvlm, [case(1)], [critique("a")])
    assert (verdict.value, verdict.p_spurious) == ("spurious", 0.8)


def test_a_verdict_against_the_critics_words_stands_and_is_flagged() -> None:
    said = ("the square; corner; named as spurious; relevant", "the strokes; middle; named as relevant; relevant")
    ((wrong, right),) = judge(Judge(dict.fromkeys(said, scored(0.1))), [case(2)], [critique(*said)])
    assert (wrong.value, wrong.p_spurious) == (right.value, right.p_spurious) == ("relevant", pytest.approx(0.1))
    assert "names this as spurious, but the verdict is relevant" in wrong.flag
    assert right.flag == ""


def test_the_same_words_are_compared_with_the_specification_of_each_case() -> None:
    shown = case(1)
    inverted = Case(shown.marks, "3", ClassSpecification("3", "the square", "the strokes"))
    ((first,), (second,)) = judge(Judge({"a square": scored(0.1)}), [shown, inverted], [critique("a square")] * 2)
    assert first.flag.startswith("The specification names “a square” as spurious")
    assert second.flag == ""


def test_without_cases_nothing_is_asked() -> None:
    lvlm = Judge({})
    assert judge(lvlm, [], []) == []
    assert lvlm.batches == 0


def test_the_default_examples_show_both_verdicts() -> None:
    assert {example.verdict for example in DEFAULT_EXAMPLES} == {"spurious", "relevant"}
