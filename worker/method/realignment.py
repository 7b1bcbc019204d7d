"""Fine-tuning that takes the spurious regions away from a model (LVLM-VA, realignment; ours: consistency).

Training is cut into chunks of epochs. All randomness of an epoch derives from the seed and the epoch's number, and the
state between chunks is complete, so a run that was interrupted and resumed ends bit for bit like an unbroken one.
"""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worker.method import counterfactual, losses
from worker.method.hardware import Precision, autocast, repeatable

Loss = Literal["consistency", "plain_rrr", "normalised_rrr", "control"]

# Alignment images whose mean penalty before realignment is the unit of the normalised penalty.
REFERENCE_IMAGES = 256
_STRENGTHS: dict[Loss, float] = {"consistency": 1.0, "plain_rrr": 1.0, "normalised_rrr": 10.0, "control": 0.0}


@dataclass(frozen=True)
class RealignmentSettings:
    """How to realign.

    loss: ``consistency`` is ours, ``plain_rrr`` the paper's, ``control`` trains on the same batches without either.
    alignment_share: part of every batch that is drawn from the alignment images.
    strength: factor of the penalty (lambda); None takes 1 for consistency and plain RRR, 10 for normalised RRR. The
        paper has 1e5 for plain RRR on digits and 1 on medical images.
    consistency: factor of ||f(x) - f(x')||^2.
    paste_probability: how often a counterfactual image gets another image's spurious region besides.
    precision: as in ``hardware.autocast``.
    images_at_once: in one forward pass, counterfactual ones included; a batch of more goes through in parts whose
        gradients are added up (for small memories). None: each batch as a whole. Batch norm sees the parts.
    """

    loss: Loss = "consistency"
    epochs: int = 20
    learning_rate: float = 5e-4
    batch_size: int = 64
    alignment_share: float = 0.5
    strength: float | None = None
    consistency: float = 0.5
    paste_probability: float = 0.5
    weight_decay: float = 1e-4
    precision: Precision = "auto"
    images_at_once: int | None = None

    @property
    def factor(self) -> float:
        return _STRENGTHS[self.loss] if self.strength is None else self.strength


@dataclass(frozen=True)
class AlignmentImages:
    """images: (A, C, H, W); labels: (A,) int64; masks: (A, 1, H, W), 1 on the clusters judged spurious."""

    images: Tensor
    labels: Tensor
    masks: Tensor


class Batches(Protocol):
    """Training images that need not all be in memory."""

    def __len__(self) -> int: ...

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) and labels (B,) int64 of the given int64 indices (B,)."""
        ...


@dataclass(frozen=True)
class InMemory:
    """Training images held as tensors: (N, C, H, W) and (N,) int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[indices], self.labels[indices]


@dataclass(frozen=True)
class EpochFigures:
    """Means over one epoch's batches: the whole loss, the part the penalty has in it, accuracy before each step."""

    epoch: int
    loss: float
    penalty: float
    accuracy: float


@dataclass(frozen=True)
class State:
    """Everything a run needs to go on. ``as_dict`` can be saved with torch and read with ``weights_only=True``."""

    epoch: int
    model: dict[str, Tensor]
    optimiser: dict[str, Any]
    # Mean penalty before the first step, for normalised RRR; 1 elsewhere.
    reference: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "State":
        return cls(**saved)


@dataclass(frozen=True)
class _Batch:
    """Ordinary images, then alignment images, and the counterfactuals of the latter."""

    images: Tensor
    labels: Tensor
    aligned: AlignmentImages
    changed: Tensor | None = None

    @property
    def size(self) -> int:
        return len(self.labels) + len(self.aligned.labels)

    def parts(self, images_at_once: int | None) -> list["_Batch"]:
        """As few as that allows, each with its share of every kind of image."""
        kinds = [len(self.labels), len(self.aligned.labels), 0 if self.changed is None else len(self.changed)]
        count = 1
        while images_at_once and sum(-(-each // count) for each in kinds) > images_at_once and count < max(kinds):
            count += 1
        if count == 1:
            return [self]
        ordinary = zip(self.images.tensor_split(count), self.labels.tensor_split(count), strict=True)
        of_aligned = (self.aligned.images, self.aligned.labels, self.aligned.masks)
        aligned = zip(*(each.tensor_split(count) for each in of_aligned), strict=True)
        counterfactual_images = [None] * count if self.changed is None else self.changed.tensor_split(count)
        return [
            _Batch(*plain, AlignmentImages(*some), other)
            for plain, some, other in zip(ordinary, aligned, counterfactual_images, strict=True)
        ]

    def to(self, device: str | torch.device) -> "_Batch":
        aligned = AlignmentImages(
            self.aligned.images.to(device), self.aligned.labels.to(device), self.aligned.masks.to(device)
        )
        changed = None if self.changed is None else self.changed.to(device)
        return _Batch(self.images.to(device), self.labels.to(device), aligned, changed)


def start(model: nn.Module, settings: RealignmentSettings) -> State:
    """The state before the first epoch. The model keeps its weights."""
    return _state(0, model, _optimiser(model, settings), 1.0)


def _state(epoch: int, model: nn.Module, optimiser: torch.optim.Optimizer, reference: float) -> State:
    """A copy on the CPU, which further training does not touch."""
    held = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict()}, held)
    held.seek(0)
    copied = torch.load(held, map_location="cpu", weights_only=True)
    return State(epoch, copied["model"], copied["optimiser"], reference)


def realign(
    model: nn.Module,
    state: State,
    training: tuple[Tensor, Tensor] | Batches,
    alignment: AlignmentImages | None,
    settings: RealignmentSettings,
    *,
    seed: int,
    device: str | torch.device,
    epochs: int,
    on_epoch: Callable[[EpochFigures], bool | None] = lambda _: None,
) -> State:
    """Train for ``epochs`` further epochs, at most to ``settings.epochs``; an epoch shows each training image once.

    model: gives (B, K) logits; it gets the state's weights, is moved to the device, and is left in evaluation mode with
        the new weights.
    alignment: None trains without any, which is how a first checkpoint is made.
    on_epoch: called after each epoch, with the model in evaluation mode, so that the caller can measure it; where it
        answers that it is to stop the training ends there.
    """
    batches = training if not isinstance(training, tuple) else InMemory(*training)
    device = torch.device(device)
    model.load_state_dict(state.model)
    model.to(device)
    optimiser = _optimiser(model, settings)
    optimiser.load_state_dict(state.optimiser)
    reference = state.reference
    if state.epoch == 0 and settings.loss == "normalised_rrr" and alignment is not None:
        reference = _reference(model, alignment, settings, device)
    reached = state.epoch
    for epoch in range(state.epoch, min(settings.epochs, state.epoch + epochs)):
        figures = _train_epoch(model, optimiser, batches, alignment, settings, reference, seed, device, epoch)
        model.eval()
        reached = epoch + 1
        if on_epoch(figures):
            break
    model.eval()
    return _state(reached, model, optimiser, reference)


def _train_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    training: Batches,
    alignment: AlignmentImages | None,
    settings: RealignmentSettings,
    reference: float,
    seed: int,
    device: torch.device,
    epoch: int,
) -> EpochFigures:
    model.train()
    order = torch.Generator().manual_seed(_epoch_seed(seed, epoch))
    totals, images = torch.zeros(3, dtype=torch.float64), 0
    # Dropout draws from torch's global generators.
    with repeatable(_epoch_seed(seed, epoch), device):
        for progress, batch in _batches(training, alignment, settings, order):
            _set_rate(optimiser, settings, epoch + progress)
            totals += batch.size * _step(model, optimiser, batch, settings, reference, device).double().cpu()
            images += batch.size
    loss_mean, penalty_mean, accuracy = (totals / max(images, 1)).tolist()
    return EpochFigures(epoch + 1, loss_mean, penalty_mean, accuracy)


def _step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: _Batch,
    settings: RealignmentSettings,
    reference: float,
    device: torch.device,
) -> Tensor:
    """(3,): the batch's loss, the penalty in it, and its accuracy before the step."""
    optimiser.zero_grad()
    totals = torch.zeros(3, device=device)
    for part in batch.parts(settings.images_at_once):
        of_all = part.size / batch.size
        of_aligned = len(part.aligned.labels) / max(1, len(batch.aligned.labels))
        with autocast(device, settings.precision):
            plain, penalty, correct = _losses(model, part.to(device), settings, reference)
        loss = of_all * plain + of_aligned * penalty
        loss.backward()  # type: ignore[no-untyped-call]
        totals += torch.stack([loss.detach(), of_aligned * penalty.detach(), of_all * correct])
    optimiser.step()
    return totals


def _epoch_seed(seed: int, epoch: int) -> int:
    return seed * 1_000_003 + epoch


def _batches(
    training: Batches, alignment: AlignmentImages | None, settings: RealignmentSettings, generator: torch.Generator
) -> Iterator[tuple[float, _Batch]]:
    """Each training image once, beside its share of alignment images; and the part of the epoch that is done."""
    aligned = round(settings.batch_size * settings.alignment_share) if alignment and len(alignment.images) else 0
    count = max(1, len(training) // max(1, settings.batch_size - aligned))
    # Parts that differ by one image at most, so that no batch is too small for batch norm.
    parts = torch.randperm(len(training), generator=generator).tensor_split(count)
    chosen = _cycled(len(alignment.images), count * aligned, generator).reshape(count, -1) if alignment else None
    for number, part in enumerate(parts):
        images, labels = training.take(part)
        if alignment is None or chosen is None:
            batch = _Batch(images, labels, AlignmentImages(images[:0], labels[:0], images[:0, :1]))
        else:
            batch = _mixed(images, labels, alignment, chosen[number], settings, generator)
        yield number / count, batch


def _cycled(length: int, count: int, generator: torch.Generator) -> Tensor:
    """``count`` indices below ``length``: permutation after permutation, so that all are drawn equally often."""
    rounds = -(-count // max(length, 1))
    parts = [torch.randperm(length, generator=generator) for _ in range(rounds)]
    return torch.cat(parts)[:count] if parts else torch.zeros(0, dtype=torch.int64)


def _mixed(
    images: Tensor,
    labels: Tensor,
    alignment: AlignmentImages,
    chosen: Tensor,
    settings: RealignmentSettings,
    generator: torch.Generator,
) -> _Batch:
    some = AlignmentImages(alignment.images[chosen], alignment.labels[chosen], alignment.masks[chosen])
    wanted = settings.loss == "consistency" and len(chosen) > 0
    changed = counterfactuals(some, alignment, settings, generator) if wanted else None
    return _Batch(images, labels, some, changed)


def counterfactuals(
    some: AlignmentImages, alignment: AlignmentImages, settings: RealignmentSettings, generator: torch.Generator
) -> Tensor:
    """``some`` with their masked regions swapped for another alignment image's, and sometimes one pasted besides."""
    count = len(some.images)
    swap = torch.randint(len(alignment.images), (count,), generator=generator)
    changed = counterfactual.fill(some.images, some.masks, alignment.images[swap])
    with_region = alignment.masks.flatten(1).any(dim=1).nonzero()[:, 0]
    if not len(with_region):
        return changed
    donors = with_region[torch.randint(len(with_region), (count,), generator=generator)]
    wanted = torch.rand(count, generator=generator) < settings.paste_probability
    regions = alignment.masks[donors] * wanted[:, None, None, None].to(alignment.masks)
    return counterfactual.paste(changed, alignment.images[donors], regions)


def _losses(
    model: nn.Module, batch: _Batch, settings: RealignmentSettings, reference: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy and accuracy on a batch's unchanged images, and the penalty on its alignment images."""
    aligned = batch.aligned
    penalised = settings.loss in {"plain_rrr", "normalised_rrr"} and len(aligned.images) > 0
    explained = aligned.images.requires_grad_() if penalised else aligned.images
    labels = torch.cat([batch.labels, aligned.labels])
    pictures = [batch.images, explained] if batch.changed is None else [batch.images, explained, batch.changed]
    logits = model(torch.cat(pictures)).float()
    plain, aligned_logits, changed_logits = (
        logits[: len(labels)],
        logits[len(batch.labels) : len(labels)],
        logits[len(labels) :],
    )
    penalty = logits.new_zeros(())
    if batch.changed is not None and len(batch.changed):
        penalty = losses.counterfactual_penalty(aligned_logits, changed_logits, aligned.labels, settings.consistency)
    elif penalised:
        penalty = losses.normalised_rrr_penalty(explained, aligned_logits, aligned.masks, reference)
    penalty = settings.factor * penalty
    accuracy = (plain.detach().argmax(dim=1) == labels).float().mean()
    return F.cross_entropy(plain, labels), penalty, accuracy


def _reference(
    model: nn.Module, alignment: AlignmentImages, settings: RealignmentSettings, device: torch.device
) -> float:
    """Mean RRR penalty of the model as it stands."""
    model.eval()
    images, masks = alignment.images[:REFERENCE_IMAGES], alignment.masks[:REFERENCE_IMAGES]
    total, at_once = 0.0, settings.images_at_once or REFERENCE_IMAGES
    for some, their_masks in zip(torch.split(images, at_once), torch.split(masks, at_once), strict=True):
        explained = some.to(device).requires_grad_()
        with autocast(device, settings.precision):
            logits = model(explained).float()
        total += len(some) * float(losses.rrr_penalty(explained, logits, their_masks.to(device)).detach())
    return total / max(1, len(images))


def _optimiser(model: nn.Module, settings: RealignmentSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _set_rate(optimiser: torch.optim.Optimizer, settings: RealignmentSettings, progress: float) -> None:
    """Cosine decay to zero over all epochs of the settings. progress: epochs done, with fraction."""
    rate = settings.learning_rate * (1 + math.cos(math.pi * progress / settings.epochs)) / 2
    for group in optimiser.param_groups:
        group["lr"] = rate
