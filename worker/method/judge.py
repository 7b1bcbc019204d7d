"""Stage 6, the judge: from what the critic wrote about one cluster to spurious, relevant or uncertain.

The judge is the LVLM with a few examples and without the pictures. P(spurious) is read from the token scores of one
forward pass. Between the two thresholds nobody is told what to think: the cluster is uncertain and goes to people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from worker.lvlm import LVLM, Answer, Conversation, Turn
from worker.method.contradiction import contradiction
from worker.method.critic import Case, Critique, one_line

CHOICES = ("spurious", "relevant")
CRITIQUE_LENGTH = 1200  # characters of a critic's text that the judge reads
UNREADABLE = "The judge's answer could not be read, asked twice"  # so begins the reason of such a verdict


@dataclass(frozen=True)
class Example:
    """One row a person can edit: a critic's words and the verdict they call for."""

    text: str
    verdict: Literal["spurious", "relevant"]


DEFAULT_EXAMPLES = (
    Example("grey square; light grey; upper left corner; tiny; named as spurious; spurious", "spurious"),
    Example("digit strokes; white; middle; medium; named as relevant; relevant", "relevant"),
    Example("It lies mostly on the plaster, which the specification names as spurious.", "spurious"),
    Example("It covers the joint space between the bones, a feature of the disease.", "relevant"),
    Example("empty background; black; lower part; small; not named; relevant", "relevant"),
)


@dataclass(frozen=True)
class Verdict:
    value: Literal["spurious", "relevant", "uncertain"]
    p_spurious: float
    reason: str  # empty where the probability alone decides
    flag: str = ""  # why it does not go together with the critic's own words, where it does not
    agreement: float | None = None  # share of the passes that agree with most of them; None where there was one pass


def judge_prompt(case: Case, critique: str, examples: Sequence[Example]) -> Conversation:
    rows = "".join(f"Critic: {one_line(row.text)}. Verdict: {row.verdict}\n" for row in examples)
    text = (
        "A critic described one cluster of an image. Under the specification, is it spurious or relevant? "
        "Answer with one word.\n"
        f"{rows}{case.specified}\n"
        f"Critic: {one_line(critique)[:CRITIQUE_LENGTH]}. Verdict:"
    )
    return (Turn("user", text),)


def judge(
    lvlm: LVLM,
    cases: Sequence[Case],
    critiques: Sequence[Critique],
    examples: Sequence[Example] = DEFAULT_EXAMPLES,
    thresholds: tuple[float, float] = (0.35, 0.65),
) -> list[tuple[Verdict, ...]]:
    """A verdict for every cluster of every case: that on cluster ``number`` stands at ``number - 1``.

    thresholds: P(spurious) up to the first is relevant, from the second on spurious, between them uncertain.
    What the critic did not mention, and what cannot be read even when asked again, is uncertain, with the reason. A
    verdict that contradicts the words it was given for stands, with a flag that says so.
    """
    prompts = {
        judge_prompt(case, text, examples): None
        for case, critique in zip(cases, critiques, strict=True)
        for text in critique.by_cluster
        if text
    }
    # Many clusters are described in the same words: each prompt is asked once.
    verdicts = dict(zip(prompts, _verdicts(lvlm, list(prompts), thresholds), strict=True))
    return [
        tuple(
            _compared(verdicts[judge_prompt(case, text, examples)], text, case) if text else _silence(number)
            for number, text in enumerate(critique.by_cluster, start=1)
        )
        for case, critique in zip(cases, critiques, strict=True)
    ]


def _verdicts(lvlm: LVLM, prompts: Sequence[Conversation], thresholds: tuple[float, float]) -> list[Verdict]:
    answers = lvlm.ask(prompts, choices=CHOICES) if prompts else []
    found = [_read(answer, thresholds) for answer in answers]
    again = [index for index, verdict in enumerate(found) if verdict is None]
    reminders = [
        (
            *prompts[index],
            Turn("assistant", answers[index].text),
            Turn("user", "Answer with one word only: spurious or relevant."),
        )
        for index in again
    ]
    second = dict(zip(again, lvlm.ask(reminders, choices=CHOICES), strict=True)) if reminders else {}
    return [
        verdict or _read(second[index], thresholds) or _unreadable(second[index]) for index, verdict in enumerate(found)
    ]


def _compared(verdict: Verdict, text: str, case: Case) -> Verdict:
    return replace(verdict, flag=contradiction(text, verdict.value, case.specification))


def _read(answer: Answer, thresholds: tuple[float, float]) -> Verdict | None:
    """The verdict that an answer gives; None where it gives none."""
    if answer.choice_probabilities:
        return by_probability(answer.choice_probabilities.get(CHOICES[0], 0.0), thresholds)
    word = answer.text.strip().strip(".*\"'").lower()
    said = "The LVLM gave no token scores: this is its word alone."
    if word == "spurious":
        return Verdict("spurious", 1.0, said)
    if word == "relevant":
        return Verdict("relevant", 0.0, said)
    return None


def by_probability(p: float, thresholds: tuple[float, float]) -> Verdict:
    low, high = thresholds
    if p >= high:
        return Verdict("spurious", p, "")
    if p <= low:
        return Verdict("relevant", p, "")
    between = f"between the thresholds {low:g} and {high:g}"
    return Verdict("uncertain", p, f"The judge gives spurious a probability of {p:.2f}, {between}.")


def _silence(number: int) -> Verdict:
    return Verdict("uncertain", 0.5, f"The critic said nothing of region {number} that could be read.")


def _unreadable(answer: Answer) -> Verdict:
    return Verdict("uncertain", 0.5, f"{UNREADABLE}: {one_line(answer.text)[:80]!r}")
