"""An LVLM that knows what was planted, and can be made blind, deaf, obedient or silent."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from PIL.Image import Image

from worker.lvlm import Answer, Conversation
from worker.lvlm.check import Asked
from worker.lvlm.check.asking import CORE, _Question, _questions
from worker.method.marks import PALETTE

NAMED = {"artefact": "spurious", "core": "relevant", "elsewhere": "nothing"}
OPPOSITE = {"spurious": "relevant", "relevant": "spurious", "nothing": "nothing"}


class Oracle:
    """It knows each question by its pictures, and answers as a perfect critic and judge would."""

    name = "oracle"

    def __init__(
        self,
        pictures: Sequence[Asked],
        *,
        blind: bool = False,
        deaf: bool = False,
        obedient: bool = False,
        silent: bool = False,
    ) -> None:
        self.blind, self.deaf, self.obedient, self.silent = blind, deaf, obedient, silent
        self.questions = {
            shown(question.case.marks.image, question.case.marks.cluster_map): question
            for asked in pictures
            for question in _questions(asked)
        }

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        if choices:
            return [verdict(talk[0].text.rsplit("Critic:", 1)[1]) for talk in conversations]
        return [Answer("" if self.silent else self.critique(talk), tokens=(100, 10)) for talk in conversations]

    def critique(self, talk: Conversation) -> str:
        question = self.questions[shown(*talk[0].images[:2])]
        liked, _, disliked = talk[0].text.split("Specification.")[1].partition("Spurious:")
        core = CORE[question.asked.planted.domain]
        straight = self.deaf or any(words in liked for words in core)
        inverted = any(words in disliked for words in core)
        return "\n".join(self.line(question, number, straight, inverted) for number in question.case.marks.clusters)

    def line(self, question: _Question, number: int, straight: bool, inverted: bool) -> str:
        if self.blind:
            return f"{number}: something; named as {'spurious' if number == 1 else 'relevant'}"
        named = NAMED[question.things[number - 1]] if straight or inverted else "nothing"
        if inverted and not straight:
            named = OPPOSITE[named]
        if self.obedient and question.way == "order":
            named = question.asked.ordered
        return f"{number}: grey {brightness(question, number)}; named as {named}"


def verdict(words: str) -> Answer:
    p = 0.5 if "named as nothing" in words else 0.95 if "named as spurious" in words else 0.05
    return Answer("spurious" if p > 0.5 else "relevant", {"spurious": p, "relevant": 1 - p}, tokens=(50, 1))


def brightness(question: _Question, number: int) -> float:
    """Of the picture under the cluster, to a thousandth: what differs wherever the pixels do."""
    marks = question.case.marks
    under = (np.asarray(marks.cluster_map) == PALETTE[number - 1].rgb).all(axis=2)
    return round(float(np.asarray(marks.image)[under].mean()), 3)


def shown(image: Image, cluster_map: Image) -> bytes:
    return sha256(image.tobytes() + cluster_map.tobytes()).digest()
