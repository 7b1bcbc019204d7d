"""How the embedded LVLM learns: the tower first, then lessons in the order that ``train`` gives.

Several processes learn together, each on its own lessons: small layers run faster on one thread each than on many.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from worker.lvlm.embedded import tints, wording
from worker.lvlm.embedded.batches import (
    IGNORED,
    STATUSES,
    Batch,
    LessonKind,
    Lessons,
    as_pixels,
    encoded,
    with_the_artefact,
)
from worker.lvlm.embedded.building import HEADERS, WIDTH, spoken
from worker.lvlm.embedded.course import Begun, Course
from worker.lvlm.embedded.lessons import ALL, OVERLAY, Material
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
from worker.method.summary import place

log = logging.getLogger(__name__)
LOG_EVERY = 100
T = TypeVar("T")
WHICH, RARITY = 0.2, (0.3, 4.0)  # weight of telling the things apart; how much one counts at least and at most
IMAGE_ALONE, MAPPED = 0, 4  # the map is easy: it is among the tower's pictures at every so many-th step
Losses = tuple[str, Tensor, Tensor]  # of which kind of lesson, the loss that is reported, and what is added to it
TOLD_AFTER, ASKED_AFTER = 2, 3  # layers after which a word knows its status, in the question and in the answer


@dataclass(frozen=True)
class Team:
    """Processes that learn together, each on its own lessons: on a processor, one thread each beats one with many."""

    rank: int = 0
    size: int = 1

    def share(self, everything: Sequence[T]) -> Sequence[T]:
        """This process's part of it."""
        return everything[self.rank :: self.size]

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
        total = layers[0].new_zeros((), dtype=torch.float32)
        for head, layer, statuses in ((self.told, TOLD_AFTER, batch.told), (self.asked, ASKED_AFTER, batch.asked)):
            rows, positions = (statuses != IGNORED).nonzero(as_tuple=True)
            if len(rows):
                told = head(layers[layer][rows, positions]).float()
                total = total + nn.functional.cross_entropy(told, statuses[rows, positions].to(told.device))
        return total


def answer_loss(
    model: LlavaForConditionalGeneration,
    batch: Batch,
    words: Tensor,
    said: Tensor,
    listener: Listener | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of the answers' tokens, and of the listener's statuses (0 without one).

    words: ids that the model can say; said: (words, width), the output's rows of these, where the model is. Scores are
    computed at the answers only; all other words score 0.
    Raises ValueError for an answer with another word.
    """
    rows, positions, places = batch.answers(words)  # before the batch goes to an accelerator, which would be waited for
    device = said.device
    output = model.model(
        input_ids=batch.tokens.to(device),
        attention_mask=batch.mask.to(device),
        position_ids=batch.positions.to(device),
        pixel_values=None if batch.pictures is None else batch.pictures.to(device),
        output_hidden_states=listener is not None,
    )
    scores = (output[0][rows, positions] @ said.T).float()
    others = scores.new_full((len(scores), 1), math.log(len(model.lm_head.weight) - len(words)))
    loss = nn.functional.cross_entropy(torch.cat([scores, others], dim=1), places.to(device))
    return loss, listener.loss(output.hidden_states, batch) if listener else loss.new_zeros(())


@dataclass(frozen=True)
class Teacher:
    """seed: of the training and the process. loaders: processes that prepare lessons, 0 for none."""

    model: LlavaForConditionalGeneration
    processor: LlavaProcessor
    material: Material
    seed: tuple[int, ...]
    team: Team
    course: Course
    loaders: int = 0

    @property
    def device(self) -> torch.device:
        return self.model.device

    @cached_property
    def words(self) -> Tensor:
        return spoken(self.model).cpu()

    @cached_property
    def rare(self) -> list[int]:
        return with_the_artefact(self.material)

    def teach(
        self,
        stage: str,
        kinds: Sequence[tuple[LessonKind, float]],
        *,
        seconds: float,
        learning_rate: float,
        tower: float = 0.0,
        batch_size: int = 16,
    ) -> None:
        """Draw lessons at their weights until the time is up.

        tower: its share of the learning rate, 0 freezes. batch_size: of the whole team.
        """
        listener = Listener(WIDTH).to(self.device)
        said = nn.Parameter(self.model.lm_head.weight.detach()[self.words])
        optimizer = _optimizer(self.model, learning_rate, tower)
        optimizer.add_param_group({"params": [*listener.parameters(), said], "top": learning_rate})
        begun = self.course.begin(stage, optimizer)
        if begun is None:
            return
        seed = (*self.seed, len(self.course.done))
        lessons = Lessons(kinds, batch_size // self.team.size, self.material, self.processor, seed, self.rare)
        batches = lessons.prepared(begun.step, self.loaders)

        def loss_at(_: int) -> Losses:
            kind, batch = next(batches)
            return kind, *answer_loss(self.model, batch, self.words, said, listener)

        def put_back() -> None:
            self.model.lm_head.weight.data[self.words] = said.data

        self._run(stage, begun, optimizer, loss_at, seconds, put_back)

    def teach_tower(self, more: Material, *, seconds: float, batch_size: int) -> None:
        """The tower's patches tell what is where on the image, which colour on the map, and on what on the overlay.

        more: scenes to learn from besides the own ones; of these nothing but where things and clusters lie is used.
        The projector learns to say it, and the place, in the turned embeddings of the words: see ``building``.
        """
        tower, projector = self.model.model.vision_tower, self.model.model.multi_modal_projector
        head = nn.Linear(tower.config.hidden_size, THINGS + THINGS * COLOURS + TINTS, device=self.device)
        for part in head.parameters():  # the same start in every process
            nn.init.zeros_(part)
        parameters = [*tower.parameters(), *head.parameters(), *projector.parameters()]
        optimizer = torch.optim.AdamW([{"params": parameters, "top": 3e-3}], weight_decay=0.01)
        begun = self.course.begin("tower", optimizer)
        if begun is None:
            return
        scenes = [*self.material.scenes, *more.scenes]
        pictures = torch.cat([self.material.pictures, more.pictures]).to(self.device)
        labels = torch.empty(len(scenes), GRID**2, THINGS + THINGS * COLOURS + TINTS, dtype=torch.bool)
        for index, scene in enumerate(scenes):  # written in place: kept one by one between large ones they take 10 GB
            labels[index] = dense_labels(scene)
        often = labels[..., :THINGS].float().mean(dim=(0, 1)).to(self.device)
        labels = labels.to(self.device)
        rarity = (often.mean() / often.clamp(min=1e-6)).clamp(*RARITY)
        things = torch.stack([self._meaning(wording.WORDS[domain][thing]) for domain, thing in OBJECTS])
        names = torch.stack([self._meaning(header) for header in HEADERS])
        colours = torch.stack([self._meaning(words) for words in tints.TINTS])
        places = self._places()

        def loss_at(step: int) -> Losses:
            drawn = np.random.default_rng([*self.seed, len(self.course.done), step])
            chosen = torch.from_numpy(drawn.integers(len(scenes), size=batch_size // self.team.size)).to(self.device)
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
            return "tower", 2 * dense + WHICH * which + said, said.new_zeros(())

        self._run("tower", begun, optimizer, loss_at, seconds)

    def _meaning(self, words: str) -> Tensor:
        """(width,): the summed embeddings of some words."""
        table: Tensor = self.model.model.language_model.embed_tokens.weight.detach()
        return table[encoded(words, self.processor)].sum(dim=0)

    def _places(self) -> Tensor:
        """(49, width): the words for the place of each patch."""
        centres = (torch.arange(GRID) + 0.5) / GRID
        return torch.stack([self._meaning(place((float(x), float(y)), 0.0)) for y in centres for x in centres])

    def _run(
        self,
        stage: str,
        begun: Begun,
        optimizer: torch.optim.Optimizer,
        loss_at: Callable[[int], Losses],
        seconds: float,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """``after``: is called after each step, before the model may be saved."""
        # A processor's own time: whatever else runs beside makes a training longer, not worse.
        clock = time.process_time if self.device.type == "cpu" else time.monotonic
        began, step, smooth = clock() - begun.spent, begun.step, dict[str, Tensor]()
        while (progress := self.team.agreed((clock() - began) / seconds)) < 1:
            _schedule(optimizer, progress)
            with torch.autocast(self.device.type, torch.bfloat16):
                kind, loss, listened = loss_at(step)
            _step(optimizer, loss + listened, self.team)
            after()
            smooth[kind] = torch.lerp(smooth.get(kind, loss.detach()), loss.detach(), 0.05)
            step += 1
            if step % LOG_EVERY == 0:
                losses = ", ".join(f"{name} {value:.3f}" for name, value in sorted(smooth.items()))
                log.info("%s: step %d, %.0f %%, loss %s", stage, step, 100 * progress, losses)
                self.course.note(stage, step, progress, smooth)
            self.course.on_the_way(stage, Begun(clock() - began, step), self.model, optimizer)
        self.course.note(stage, step, 1.0, smooth)
        self.course.finish(stage, self.model)


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
