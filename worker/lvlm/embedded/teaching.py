"""How the embedded LVLM learns: the tower first, then lessons in the order that ``train`` gives.

Several processes learn together, each on its own lessons: small layers run faster on one thread each than on many.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast, get_args

import numpy as np
import torch
from torch import Tensor, distributed, nn
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from worker.lvlm.embedded import tints, wording
from worker.lvlm.embedded.building import (
    ASSISTANT,
    END,
    HEADERS,
    IMAGE,
    PAD,
    PICTURE_TOKENS,
    WIDTH,
    spoken,
)
from worker.lvlm.embedded.course import Course
from worker.lvlm.embedded.lessons import ALL, OVERLAY, Lesson, Material, Statuses
from worker.lvlm.embedded.scenes import on_the_artefact
from worker.lvlm.embedded.tower import (
    COLOURS,
    GRID,
    OBJECTS,
    THINGS,
    TINTS,
    dense_labels,
    spoken_by,
    which_thing,
)
from worker.lvlm.embedded.wording import Status
from worker.lvlm.transformers import as_messages
from worker.method.summary import place

log = logging.getLogger(__name__)
IGNORED = -100
LOG_EVERY = 100
WHICH, RARITY = 0.2, (0.3, 4.0)  # weight of telling the things apart; how much one counts at least and at most
IMAGE_ALONE, MAPPED = 0, 4  # the map is easy: it is among the tower's pictures at every so many-th step
GAPPED = 0.7  # share of the lessons with gaps
LONGEST_GAP = 200  # positions
Generator = np.random.Generator
LessonKind = Callable[[Material, int, Generator], Lesson]
Losses = tuple[str, Tensor, Tensor]  # of which kind of lesson, the loss that is reported, and what is added to it
STATUSES = get_args(Status)
TOLD_AFTER, ASKED_AFTER = 2, 3  # layers after which a word knows its status, in the question and in the answer


@dataclass(frozen=True)
class Team:
    """Processes that learn together, each on its own lessons: on a processor, one thread each beats one with many."""

    rank: int = 0
    size: int = 1

    def average(self, model_parts: Sequence[nn.Parameter]) -> None:
        """Give every process the mean of all gradients."""
        gradients = [part.grad for part in model_parts if part.grad is not None]
        if self.size > 1 and gradients:
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            distributed.all_reduce(flat)
            for gradient, mean in zip(
                gradients, torch.split(flat / self.size, [part.numel() for part in gradients]), strict=True
            ):
                gradient.copy_(mean.view_as(gradient))

    def agreed(self, value: float) -> float:
        """The value of the first process: all must stop at the same step."""
        shared = torch.tensor([value])
        if self.size > 1:
            distributed.broadcast(shared, src=0)
        return float(shared)


ALONE = Team()


@dataclass(frozen=True)
class Batch:
    tokens: Tensor  # (B, T)
    mask: Tensor  # (B, T)
    positions: Tensor  # (B, T)
    labels: Tensor  # (B, T): the answer's tokens, elsewhere IGNORED
    pictures: Tensor | None  # (P, 3, 84, 84)
    told: Tensor  # (B, T): the status of what a word of the question names, elsewhere IGNORED
    asked: Tensor  # (B, T): the same in the answer


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
        wanted = _encoded(words, processor)
        for at in range(where.start, where.stop - len(wanted) + 1):
            if row[at : at + len(wanted)] == wanted:
                found[at : at + len(wanted)] = STATUSES.index(status)


def as_pixels(pictures: Tensor) -> Tensor:
    """uint8 to the [-1, 1] of the processor."""
    return pictures.float().div_(127.5).sub_(1)


class Listener(nn.Module):
    """What a word of the specification, or a word for what is asked about, tells of its status, halfway through.

    Listening is two steps: to know at each word which side it stands on, and to look it up. From the answer alone
    neither is learned before the other; each told by itself, both are learned within minutes. Only training needs it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.told, self.asked = nn.Linear(width, len(STATUSES)), nn.Linear(width, len(STATUSES))
        for part in self.parameters():  # the same start in every process
            nn.init.zeros_(part)

    def loss(self, layers: Sequence[Tensor], batch: Batch) -> Tensor:
        """Mean cross-entropy of the statuses; layers: (B, T, width) before the first layer and after each."""
        total = torch.zeros(())
        for head, layer, statuses in ((self.told, TOLD_AFTER, batch.told), (self.asked, ASKED_AFTER, batch.asked)):
            known = statuses != IGNORED
            if known.any():
                total = total + nn.functional.cross_entropy(head(layers[layer][known]).float(), statuses[known])
        return total


def answer_loss(
    model: LlavaForConditionalGeneration,
    batch: Batch,
    words: Tensor,
    said: Tensor,
    listener: Listener | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of the answers' tokens, and of the listener's statuses (0 without one).

    words: ids that the model can say; said: (words, width), the output's rows of these. Scores are computed at the
    answers only; all other words score 0.
    Raises ValueError for an answer with another word.
    """
    output = model.model(
        input_ids=batch.tokens,
        attention_mask=batch.mask,
        position_ids=batch.positions,
        pixel_values=batch.pictures,
        output_hidden_states=listener is not None,
    )
    wanted = batch.labels[:, 1:] != IGNORED
    labels = batch.labels[:, 1:][wanted]
    places = torch.searchsorted(words, labels).clamp(max=len(words) - 1)
    if strange := set(labels[words[places] != labels].tolist()):
        raise ValueError(f"An answer has tokens that the model cannot say: {sorted(strange)}.")
    scores = (output[0][:, :-1][wanted] @ said.T).float()
    others = scores.new_full((len(scores), 1), math.log(len(model.lm_head.weight) - len(words)))
    loss = nn.functional.cross_entropy(torch.cat([scores, others], dim=1), places)
    return loss, listener.loss(output.hidden_states, batch) if listener else torch.zeros(())


@dataclass(frozen=True)
class Teacher:
    model: LlavaForConditionalGeneration
    processor: LlavaProcessor
    material: Material
    generator: Generator
    team: Team
    course: Course

    @cached_property
    def words(self) -> Tensor:
        return spoken(self.model)

    @cached_property
    def rare(self) -> list[int]:
        """Indices of the scenes with a cluster on the artefact."""
        return [index for index, scene in enumerate(self.material.scenes) if on_the_artefact(scene)]

    def teach(
        self,
        stage: str,
        lessons: Sequence[tuple[LessonKind, float]],
        *,
        seconds: float,
        learning_rate: float,
        tower: float = 0.0,
        batch_size: int = 8,
    ) -> None:
        """Draw lessons at their weights until the time is up. ``tower``: its share of the learning rate, 0 freezes."""
        kinds, weights = [kind for kind, _ in lessons], np.array([weight for _, weight in lessons])
        listener = Listener(WIDTH)
        said = nn.Parameter(self.model.lm_head.weight.detach()[self.words])
        optimizer = _optimizer(self.model, learning_rate, tower)
        optimizer.add_param_group({"params": [*listener.parameters(), said], "top": learning_rate})

        def loss_at(step: int) -> Losses:
            # All processes take the same kind at a step, so that none waits for another with a longer one.
            kind = kinds[np.random.default_rng(step).choice(len(kinds), p=weights / weights.sum())]
            chosen = self._some_scenes(batch_size)
            questions = [kind(self.material, int(index), self.generator) for index in chosen]
            batch = collate(questions, self.material, self.processor, self.generator)
            loss, listened = answer_loss(self.model, batch, self.words, said, listener)
            return kind.__name__, loss, listened

        def put_back() -> None:
            self.model.lm_head.weight.data[self.words] = said.data

        self._run(stage, optimizer, loss_at, seconds, put_back)

    def _some_scenes(self, count: int) -> list[int]:
        """Indices of scenes, of every second one with a cluster on the artefact where there are such."""
        every = range(len(self.material.scenes))
        pools = [self.rare if self.rare and self.generator.random() < 1 / 2 else every for _ in range(count)]
        return [int(pool[self.generator.integers(len(pool))]) for pool in pools]

    def teach_tower(self, more: Material, *, seconds: float, batch_size: int) -> None:
        """The tower's patches tell what is where on the image, which colour on the map, and on what on the overlay.

        more: scenes to learn from besides the own ones; of these nothing but where things and clusters lie is used.
        The projector learns to say it, and the place, in the turned embeddings of the words: see ``building``.
        """
        tower, projector = self.model.model.vision_tower, self.model.model.multi_modal_projector
        head = nn.Linear(tower.config.hidden_size, THINGS + THINGS * COLOURS + TINTS)
        for part in head.parameters():  # the same start in every process
            nn.init.zeros_(part)
        parameters = [*tower.parameters(), *head.parameters(), *projector.parameters()]
        optimizer = torch.optim.AdamW([{"params": parameters, "top": 3e-3}], weight_decay=0.01)
        scenes = [*self.material.scenes, *more.scenes]
        pictures = torch.cat([self.material.pictures, more.pictures])
        labels = torch.empty(len(scenes), GRID**2, THINGS + THINGS * COLOURS + TINTS, dtype=torch.bool)
        for index, scene in enumerate(scenes):  # written in place: kept one by one between large ones they take 10 GB
            labels[index] = dense_labels(scene)
        often = labels[..., :THINGS].float().mean(dim=(0, 1))
        rarity = (often.mean() / often.clamp(min=1e-6)).clamp(*RARITY)
        things = torch.stack([self._meaning(wording.WORDS[domain][thing]) for domain, thing in OBJECTS])
        names = torch.stack([self._meaning(header) for header in HEADERS])
        colours = torch.stack([self._meaning(words) for words in tints.TINTS])
        places = self._places()

        def loss_at(step: int) -> Losses:
            chosen = torch.from_numpy(self.generator.integers(len(scenes), size=batch_size))
            shown = ALL if step % MAPPED == 0 else (IMAGE_ALONE, OVERLAY)
            hidden = tower(pixel_values=as_pixels(pictures[chosen][:, shown].flatten(0, 1))).last_hidden_state
            outputs = head(hidden).unflatten(0, (-1, len(shown))).float()  # (B, pictures, 49, outputs)
            image, overlay = outputs[:, 0], outputs[:, -1]
            wanted = labels[chosen].float()
            seen = torch.cat([image[..., :THINGS], overlay[..., THINGS:-TINTS], image[..., -TINTS:]], dim=2)
            told = projector(hidden).unflatten(0, (-1, len(shown))).float()
            dense = nn.functional.binary_cross_entropy_with_logits(seen, wanted)
            which = which_thing(seen[..., :-TINTS], wanted[..., :-TINTS], rarity)
            said = nn.functional.mse_loss(told, spoken_by(wanted, things, names, colours, places)[:, shown])
            return "tower", 2 * dense + WHICH * which + said, torch.zeros(())

        self._run("tower", optimizer, loss_at, seconds)

    def _meaning(self, words: str) -> Tensor:
        """(width,): the summed embeddings of some words."""
        table: Tensor = self.model.model.language_model.embed_tokens.weight.detach()
        return table[_encoded(words, self.processor)].sum(dim=0)

    def _places(self) -> Tensor:
        """(49, width): the words for the place of each patch."""
        centres = (torch.arange(GRID) + 0.5) / GRID
        return torch.stack([self._meaning(place((float(x), float(y)), 0.0)) for y in centres for x in centres])

    def _run(
        self,
        stage: str,
        optimizer: torch.optim.Optimizer,
        loss_at: Callable[[int], Losses],
        seconds: float,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """``after``: is called after each step, before the model may be saved."""
        spent = self.course.begin(stage, optimizer)
        if spent is None:
            return
        began, step, smooth = time.monotonic() - spent, 0, dict[str, float]()
        while (progress := self.team.agreed((time.monotonic() - began) / seconds)) < 1:
            _schedule(optimizer, progress)
            with torch.autocast("cpu", torch.bfloat16):
                kind, loss, listened = loss_at(step)
            _step(optimizer, loss + listened, self.team)
            after()
            smooth[kind] = 0.95 * smooth.get(kind, loss.item()) + 0.05 * loss.item()
            step += 1
            if step % LOG_EVERY == 0:
                losses = ", ".join(f"{name} {value:.3f}" for name, value in sorted(smooth.items()))
                log.info("%s: step %d, %.0f %%, loss %s", stage, step, 100 * progress, losses)
                self.course.note(stage, step, progress, smooth)
            self.course.on_the_way(stage, time.monotonic() - began, self.model, optimizer)
        self.course.note(stage, step, 1.0, smooth)
        self.course.finish(stage, self.model)


def _tokens(lesson: Lesson, processor: LlavaProcessor) -> tuple[list[int], list[int]]:
    """Question and answer as tokens, and the labels: IGNORED where nothing is learned."""
    text = cast("Any", processor).apply_chat_template(as_messages(lesson.question), add_generation_prompt=True)
    question = _encoded(text, processor)
    tokens = [token for given in question for token in [given] * (PICTURE_TOKENS if given == IMAGE else 1)]
    labels = [IGNORED] * len(tokens)
    for piece in lesson.answer:
        new = _encoded(piece.text, processor)
        tokens += new
        labels += new if piece.learned else [IGNORED] * len(new)
    return [*tokens, END], [*labels, END]


def _last(row: Sequence[int], token: int) -> int:
    """Where the token stands last; -1 where it does not."""
    return max((index for index, given in enumerate(row) if given == token), default=-1)


def _encoded(text: str, processor: LlavaProcessor) -> list[int]:
    ids: list[int] = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _optimizer(model: LlavaForConditionalGeneration, learning_rate: float, tower: float) -> torch.optim.Optimizer:
    model.model.vision_tower.requires_grad_(tower > 0)
    model.get_input_embeddings().requires_grad_(False)
    # Of the output some 60 rows of 28,000 are learned, and by themselves: the optimizer would walk through all.
    model.lm_head.requires_grad_(False)
    seeing = [weight for weight in model.model.vision_tower.parameters() if weight.requires_grad]
    ids = {id(weight) for weight in seeing}
    rest = [weight for weight in model.parameters() if weight.requires_grad and id(weight) not in ids]
    groups = [{"params": rest, "top": learning_rate}, {"params": seeing, "top": learning_rate * tower}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, betas=(0.9, 0.98))


def _schedule(optimizer: torch.optim.Optimizer, progress: float) -> None:
    """Warm up over the first twentieth, then fall to a twentieth along a cosine."""
    warm = min(1.0, progress * 20 + 0.02)
    fall = 0.05 + 0.95 * (1 + np.cos(np.pi * progress)) / 2
    for group in optimizer.param_groups:
        group["lr"] = float(group["top"] * warm * fall)  # numpy's would need a pickle to be read again


def _step(optimizer: torch.optim.Optimizer, loss: Tensor, team: Team) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for group in optimizer.param_groups:
        team.average(group["params"])
        nn.utils.clip_grad_norm_(group["params"], 1.0)
    optimizer.step()
