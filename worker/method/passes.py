"""Agreement over passes: the same case asked again, with other colours, the pictures and the words in another order.

What depends on which cluster is blue, on which picture came first or on which side of the specification was named first
does not depend on the case. In every pass a cluster has another number and colour, as long as there are as many
clusters as passes; of the words only the order changes: that of the two sides, and that of clauses none of which leans
on another.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from worker.lvlm import LVLM
from worker.method.contradiction import contradiction
from worker.method.critic import ORDERS, Case, ClassSpecification, Critique, Manner, criticise
from worker.method.judge import DEFAULT_EXAMPLES, Example, Verdict, by_probability, judge
from worker.method.marks import draw_marks

HALF = 0.5
CLAUSES = re.compile(r"\s*(?:;|\n)\s*")
WORD = re.compile(r"[a-z]+")
# A clause with one of these words, or that begins with one of those, may lean on another: the order is left as it is.
LEANING = frozenset(
    WORD.findall(
        "it its itself they them their this that these those there then but except unless only however otherwise "
        "instead rest other others another also too both same such latter former first second third last else so thus "
        "still yet neither nor either which who whose where when if though although while because since likewise "
        "remaining remainder everything anything all none above below following previous"
    )
)
OPENING = frozenset(WORD.findall("and or as with without in at on of for by near even not"))


@dataclass(frozen=True)
class Subject:
    """One explained image from which each pass draws its marks anew.

    assignment: (h, w), 0..J-1 for the pixel's cluster, -1 where it has none.
    """

    image: Image.Image
    assignment: npt.NDArray[np.int8]
    label: str
    specification: ClassSpecification


@dataclass(frozen=True)
class Pass:
    """One way to ask about a subject. shown_as: the number that each of its clusters carries in this pass."""

    case: Case
    shown_as: Mapping[int, int]


def in_passes(subject: Subject, passes: int) -> list[Pass]:
    """The ways to ask; the first is the plain one. Raises ValueError without any, and as ``draw_marks`` does."""
    if passes < 1:
        raise ValueError("A case is asked at least once.")
    return [_pass(subject, turn) for turn in range(passes)]


def judge_in_passes(
    lvlm: LVLM,
    subjects: Sequence[Subject],
    passes: int = 1,
    examples: Sequence[Example] = DEFAULT_EXAMPLES,
    thresholds: tuple[float, float] = (0.35, 0.65),
    check: Callable[[], None] = lambda: None,
) -> tuple[list[Critique], list[tuple[Verdict, ...]]]:
    """Critic and judge on every subject, all passes of all subjects together.

    check: is called between critic and judge, and may raise.
    Returns one critique and one tuple of verdicts a subject, as ``criticise`` and ``judge`` do. Over several passes a
    verdict has the mean P(spurious) of the passes in which the judge had something to go by; words are of the first
    pass that has any.
    """
    ways = [in_passes(subject, passes) for subject in subjects]
    shown = [way.case for of_subject in ways for way in of_subject]
    critiques = criticise(lvlm, shown)
    check()
    verdicts = judge(lvlm, shown, critiques, examples, thresholds)
    if passes == 1:
        return critiques, verdicts
    found = [
        _together(
            ways[index],
            critiques[index * passes : (index + 1) * passes],
            verdicts[index * passes : (index + 1) * passes],
            thresholds,
        )
        for index in range(len(subjects))
    ]
    return [critique for critique, _ in found], [judged for _, judged in found]


def _pass(subject: Subject, turn: int) -> Pass:
    clusters = np.unique(subject.assignment[subject.assignment >= 0]) + 1
    numbers = np.roll(clusters, -turn)
    recoloured = subject.assignment.copy()
    for cluster, number in zip(clusters, numbers, strict=True):
        recoloured[subject.assignment == cluster - 1] = number - 1
    manner = Manner(pictures=list(ORDERS)[turn % len(ORDERS)], spurious_first=turn % 2 == 1)
    words = reworded(subject.specification, turn)
    case = Case(draw_marks(subject.image, recoloured), subject.label, words, manner)
    return Pass(case, dict(zip(clusters.tolist(), numbers.tolist(), strict=True)))


def reworded(specification: ClassSpecification, turn: int) -> ClassSpecification:
    """The same with the clauses of each text in another order, where none of them may lean on another."""
    return replace(
        specification,
        relevant=_turned(specification.relevant, turn),
        spurious=_turned(specification.spurious, turn),
        notes=_turned(specification.notes, turn),
    )


def _turned(text: str, turn: int) -> str:
    clauses = [clause.rstrip(".") for clause in CLAUSES.split(text.strip()) if clause.strip(" .")]
    if any(_leans(clause) for clause in clauses) or turn % max(1, len(clauses)) == 0:
        return text
    first = turn % len(clauses)
    return "; ".join(clauses[first:] + clauses[:first])


def _leans(clause: str) -> bool:
    """A clause of several sentences may lean on others as well."""
    words = WORD.findall(clause.lower())
    return not words or words[0] in OPENING or bool(LEANING & set(words)) or "." in clause or ":" in clause


def _together(
    ways: Sequence[Pass],
    critiques: Sequence[Critique],
    verdicts: Sequence[tuple[Verdict, ...]],
    thresholds: tuple[float, float],
) -> tuple[Critique, tuple[Verdict, ...]]:
    plain, last = ways[0].case, max(ways[0].shown_as, default=0)
    texts, judged = [], []
    for cluster in range(1, last + 1):
        if cluster not in ways[0].shown_as:
            texts.append("")
            judged.append(verdicts[0][cluster - 1])
            continue
        places = [way.shown_as[cluster] - 1 for way in ways]
        said = [critique.by_cluster[place] for critique, place in zip(critiques, places, strict=True)]
        texts.append(next((words for words in said if words), ""))
        asked = [of_pass[place] for of_pass, place in zip(verdicts, places, strict=True)]
        judged.append(_agreed(asked, texts[-1], plain.specification, thresholds))
    return Critique(critiques[0].text, tuple(texts)), tuple(judged)


def _agreed(
    verdicts: Sequence[Verdict], words: str, specification: ClassSpecification, thresholds: tuple[float, float]
) -> Verdict:
    """One verdict from those of all passes; a P(spurious) of exactly one half is no word for either side."""
    heard = np.array([each.p_spurious for each in verdicts if each.p_spurious != HALF])
    spurious = int(np.sum(heard > HALF))
    agreement = max(spurious, len(heard) - spurious) / len(verdicts)
    if not len(heard):
        return replace(verdicts[0], agreement=agreement)
    agreed = by_probability(float(heard.mean()), thresholds)
    said = agreed.reason.rstrip(".") or f"The judge gives spurious a probability of {agreed.p_spurious:.2f}"
    reason = f"{said}, on average over {len(heard)} of {len(verdicts)} passes"
    spread = f" ({heard.min():.2f} to {heard.max():.2f})."
    flag = contradiction(words, agreed.value, specification) if words else ""
    return replace(agreed, reason=reason + spread, flag=flag, agreement=agreement)
