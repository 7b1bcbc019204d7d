"""Training in which a rare class counts as much as a common one.

Where one class in five pictures is rare, a network may answer the common one always and be right on the other four;
what is then aligned is a model that never names the disease. Every class is shown as often as the commonest, its
pictures repeated in turn (oversampling; Buda et al. 2018 found it the best remedy for convolutional networks).

A network that learns its few pictures of the rare class by heart goes on missing others: on validation images of one
seed of real lesions, whose training images it had all right, it found .97 of the benign and .40 of the malignant. So
the answer is cut anew on validation images, after which it found .77 of either.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from worker.method.answers import logits_of
from worker.method.evaluation import MIN_GROUP
from worker.method.realignment import AlignmentImages, Batches, InMemory

PORTION = 256  # images in one forward pass
# Against a shift without end where the images of a class are all right.
RIDGE = 1e-3


def in_balance(labels: Tensor) -> Tensor:
    """Indices (M,) int64 of the N labelled images, in which every class that there is comes equally often.

    First each image once, in its order, then those of rarer classes again from their first on.
    """
    counts = torch.bincount(labels)
    again = [_again((labels == each).nonzero()[:, 0], int(counts.max())) for each in counts.nonzero()[:, 0]]
    return torch.cat([torch.arange(len(labels)), *again])


def _again(members: Tensor, most: int) -> Tensor:
    return members.repeat(-(-most // len(members)))[len(members) : most]


def shown(images: Tensor, labels: Tensor, *, balanced: bool) -> Batches:
    """Training images (N, C, H, W) and labels (N,), as they are or every class equally often."""
    given = InMemory(images, labels)
    return Repeated(given, in_balance(labels)) if balanced else given


def balanced_alignment(given: AlignmentImages) -> AlignmentImages:
    chosen = in_balance(given.labels)
    return AlignmentImages(given.images[chosen], given.labels[chosen], given.masks[chosen])


@dataclass(frozen=True)
class Repeated:
    """Batches in which some images come more than once, without a second copy of them in memory.

    indices: (M,) int64 into the N images of ``given``.
    """

    given: Batches
    indices: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return self.given.take(self.indices[indices])


def cut_evenly(model: nn.Module, images: Tensor, labels: Tensor) -> bool:
    """Shift the biases of the last layer so that no class is named at another's expense; whether that was done.

    By the biases that suit these images best where each class counts as much as another, beside one temperature, which
    changes no answer and is left out (bias-corrected temperature scaling; Alexandari et al. 2020). Nothing is done
    where a class has fewer than ``MIN_GROUP`` images, or the model doesn't end in a linear layer with biases.

    model: in evaluation mode; images (V, C, H, W) and labels (V,) int64: not those it was trained on.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if not layers or layers[-1].bias is None or not len(labels):
        return False
    bias = layers[-1].bias
    logits = logits_of(model, images, PORTION)
    counts = torch.bincount(labels, minlength=logits.shape[1])
    if len(counts) != len(bias) or int(counts.min()) < MIN_GROUP:
        return False
    shift, before, first = even_shift(logits, labels), bias.detach().clone(), images[:PORTION]
    with torch.no_grad():
        bias.add_(shift.to(bias))
        if torch.allclose(logits_of(model, first, PORTION), logits[: len(first)] + shift, rtol=1e-3, atol=1e-3):
            return True
        bias.copy_(before)  # it was not this layer that gave the answer
    return False


def even_shift(logits: Tensor, labels: Tensor) -> Tensor:
    """What to add to logits (V, K) of images with these labels (V,), of every class some: (K,), of mean 0."""
    centred = (logits - logits.mean(dim=1, keepdim=True)).double()
    scale = centred.std().clamp(min=1e-12)
    weights = (1 / torch.bincount(labels, minlength=logits.shape[1]).double())[labels] / logits.shape[1]
    steepness = torch.zeros((), dtype=torch.float64, requires_grad=True)  # its logarithm
    biases = torch.zeros(logits.shape[1], dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([steepness, biases], max_iter=200, line_search_fn="strong_wolfe")

    def missed() -> Tensor:
        search.zero_grad()
        each = cross_entropy(centred / scale * steepness.exp() + biases, labels, reduction="none")
        loss = (weights * each).sum() + RIDGE * biases.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        search.step(missed)  # type: ignore[no-untyped-call]
    shift = (biases / steepness.exp() * scale).detach().to(logits.dtype)
    return shift - shift.mean()
