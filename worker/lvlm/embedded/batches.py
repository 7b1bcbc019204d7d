"""Lessons as the model takes them: a step's batch, drawn from nothing but the seed and the step."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import LlavaProcessor

from worker.lvlm.embedded.building import ASSISTANT, END, IMAGE, PAD, PICTURE_TOKENS
from worker.lvlm.embedded.lessons import Lesson, Material, Statuses
from worker.lvlm.embedded.scenes import on_the_artefact
from worker.lvlm.embedded.wording import Status
from worker.lvlm.transformers import as_messages

IGNORED = -100
GAPPED = 0.7  # share of the lessons with gaps
LONGEST_GAP = 200  # positions
AHEAD = 4  # batches that a process which prepares them may be ahead
STATUSES = get_args(Status)
Generator = np.random.Generator
LessonKind = Callable[[Material, int, Generator], Lesson]


@dataclass(frozen=True)
class Batch:
    tokens: Tensor  # (B, T)
    mask: Tensor  # (B, T)
    positions: Tensor  # (B, T)
    labels: Tensor  # (B, T): the answer's tokens, elsewhere IGNORED
    pictures: Tensor | None  # (P, 3, 84, 84)
    told: Tensor  # (B, T): the status of what a word of the question names, elsewhere IGNORED
    asked: Tensor  # (B, T): the same in the answer

    def answers(self, words: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows and positions from which each learned word of the answers is told, and which of ``words`` it is.

        words: ids that can be said, in their order. Raises ValueError for an answer with another one.
        """
        rows, positions = (self.labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
        labels = self.labels[rows, positions + 1]
        places = torch.searchsorted(words, labels).clamp(max=len(words) - 1)
        if strange := set(labels[words[places] != labels].tolist()):
            raise ValueError(f"An answer has tokens that the model cannot say: {sorted(strange)}.")
        return rows, positions, places


def collate(
    lessons: Sequence[Lesson], material: Material, processor: LlavaProcessor, generator: Generator | None = None
) -> Batch:
    """``generator``: leave random gaps in the positions, as if the prompts were longer; without it there are none.

    What was learned on short prompts is lost on long ones, where everything stands further apart. With gaps it is not.
    """
    rows = [_tokens(lesson, processor) for lesson in lessons]
    longest = max(len(tokens) for tokens, _ in rows)
    tokens = torch.full((len(rows), longest), PAD)
    labels, told, asked = (torch.full((len(rows), longest), IGNORED) for _ in range(3))
    positions = torch.arange(longest).repeat(len(rows), 1)
    for index, (row, learned) in enumerate(rows):
        tokens[index, : len(row)] = torch.tensor(row)
        labels[index, : len(row)] = torch.tensor(learned)
        if (heard := lessons[index].heard) is not None:
            answer = _last(row, ASSISTANT)
            _find(heard.told, row, range(answer), told[index], processor)
            _find(heard.asked, row, range(answer, len(row)), asked[index], processor)
        if generator is not None and generator.random() < GAPPED:
            for start in (_last(row, IMAGE) + 1, _last(row, ASSISTANT)):
                positions[index, start:] += int(generator.integers(LONGEST_GAP))
    shown = [(lesson.scene, kind) for lesson in lessons if lesson.scene is not None for kind in lesson.shown]
    pictures = None
    if shown:
        scenes, kinds = torch.tensor(shown).T
        pictures = as_pixels(material.pictures[scenes, kinds])
    return Batch(tokens, (tokens != PAD).long(), positions, labels, pictures, told, asked)


def _find(statuses: Statuses, row: Sequence[int], where: range, found: Tensor, processor: LlavaProcessor) -> None:
    """Write each status where its words stand in that part of the row."""
    for words, status in statuses:
        wanted = encoded(words, processor)
        for at in range(where.start, where.stop - len(wanted) + 1):
            if row[at : at + len(wanted)] == wanted:
                found[at : at + len(wanted)] = STATUSES.index(status)


def as_pixels(pictures: Tensor) -> Tensor:
    """uint8 to the [-1, 1] of the processor."""
    return pictures.float().div_(127.5).sub_(1)


@dataclass(frozen=True)
class Lessons(Dataset[tuple[str, Batch]]):
    """The batch of each step. Whoever prepares it, in whatever order, it is the same.

    kinds: of lessons, with their weights. seed: of the training, the process and the stage.
    """

    kinds: Sequence[tuple[LessonKind, float]]
    batch_size: int
    material: Material
    processor: LlavaProcessor
    seed: tuple[int, ...]
    rare: Sequence[int]

    def __getitem__(self, step: int) -> tuple[str, Batch]:
        generator = np.random.default_rng([*self.seed, step])
        weights = np.array([weight for _, weight in self.kinds])
        # All processes take the same kind at a step, so that none waits for another with a longer one.
        kind, _ = self.kinds[np.random.default_rng(step).choice(len(weights), p=weights / weights.sum())]
        lessons = [kind(self.material, index, generator) for index in self._some_scenes(generator)]
        return kind.__name__, collate(lessons, self.material, self.processor, generator)

    def _some_scenes(self, generator: Generator) -> list[int]:
        """Indices of scenes, of every second one with a cluster on the artefact where there are such."""
        every = range(len(self.material.scenes))
        pools = [self.rare if self.rare and generator.random() < 1 / 2 else every for _ in range(self.batch_size)]
        return [pool[int(generator.integers(len(pool)))] for pool in pools]

    def prepared(self, first: int, loaders: int) -> Iterator[tuple[str, Batch]]:
        """The batches from step ``first`` on, without end; ``loaders``: processes that prepare them, 0 for none."""
        ahead = AHEAD if loaders else None
        steps = range(first, sys.maxsize)
        return iter(DataLoader(self, batch_size=None, sampler=steps, num_workers=loaders, prefetch_factor=ahead))


def with_the_artefact(material: Material) -> list[int]:
    """Indices of the scenes with a cluster on the artefact."""
    return [index for index, scene in enumerate(material.scenes) if on_the_artefact(scene)]


def _tokens(lesson: Lesson, processor: LlavaProcessor) -> tuple[list[int], list[int]]:
    """Question and answer as tokens, and the labels: IGNORED where nothing is learned."""
    text = cast("Any", processor).apply_chat_template(as_messages(lesson.question), add_generation_prompt=True)
    question = encoded(text, processor)
    tokens = [token for given in question for token in [given] * (PICTURE_TOKENS if given == IMAGE else 1)]
    labels = [IGNORED] * len(tokens)
    for piece in lesson.answer:
        new = encoded(piece.text, processor)
        tokens += new
        labels += new if piece.learned else [IGNORED] * len(new)
    return [*tokens, END], [*labels, END]


def _last(row: Sequence[int], token: int) -> int:
    """Where the token stands last; -1 where it does not."""
    return max((index for index, given in enumerate(row) if given == token), default=-1)


def encoded(text: str, processor: LlavaProcessor) -> list[int]:
    ids: list[int] = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
