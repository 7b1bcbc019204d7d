"""The judge learns from the critic's own words, errors included, and its probabilities are then fitted to the truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from worker.lvlm import LVLM, Conversation
from worker.lvlm.embedded import wording
from worker.lvlm.embedded.lessons import Generator, Lesson, Material, Piece, case_of
from worker.lvlm.embedded.scenes import Scene
from worker.lvlm.embedded.wording import Conclusion, New
from worker.method.calibration import fit_temperature
from worker.method.critic import criticise
from worker.method.judge import CHOICES, DEFAULT_EXAMPLES, judge_prompt
from worker.method.marks import draw_marks

TEMPERATURES = (0.5, 8.0)  # at least, at most


@dataclass(frozen=True)
class Judged:
    """What the judge was asked of one cluster, and what is true of it."""

    question: Conversation
    p_spurious: float  # for lessons: in proportion, where the evidence lies on two things
    truth: Conclusion  # for probabilities: what people answer is one word


def own_critiques(
    lvlm: LVLM, scenes: Sequence[Scene], generator: Generator, new: Sequence[New] = ("",)
) -> list[Judged]:
    """Let the critic write about scenes that it has not seen, each under a specification of its own.

    new: of which wordings, in turn.
    """
    words = [
        wording.specify(scene.domain, scene.label, generator, new[index % len(new)])
        for index, scene in enumerate(scenes)
    ]
    cases = [
        case_of(scene, said, draw_marks(Image.fromarray(scene.image), scene.assignment))
        for scene, said in zip(scenes, words, strict=True)
    ]
    return [
        Judged(
            judge_prompt(case, text, DEFAULT_EXAMPLES),
            wording.p_spurious(scene, number, said),
            wording.verdict(wording.thing_of(scene, number), said),
        )
        for scene, said, case, critique in zip(scenes, words, cases, criticise(lvlm, cases), strict=True)
        for number, text in enumerate(critique.by_cluster, start=1)
        if text
    ]


def echoing(rows: Sequence[Judged]) -> Callable[[Material, int, Generator], Lesson]:
    """Lessons for the judge from the critic's own words."""

    def echo(material: Material, index: int, generator: Generator) -> Lesson:
        del material, index
        row = rows[int(generator.integers(len(rows)))]
        return Lesson(row.question, (Piece(CHOICES[0] if generator.random() < row.p_spurious else CHOICES[1]),))

    return echo


def calibrate(lvlm: LVLM, rows: Sequence[Judged]) -> float:
    """The temperature at which the judge's probabilities make the truth likeliest (Guo et al. 2017); 1 without rows.

    Where the specification leaves it open there is no truth to fit them to.
    """
    known = [row for row in rows if row.truth != "uncertain"]
    if not known:
        return 1.0
    answers = lvlm.ask([row.question for row in known], choices=CHOICES)
    spurious = np.array([answer.choice_probabilities.get(CHOICES[0], 0.5) for answer in answers])
    truth = np.array([float(row.truth == CHOICES[0]) for row in known])
    slope = fit_temperature(spurious, truth, bias=False).slope
    return float(np.clip(1 / max(slope, 1e-9), *TEMPERATURES))
