"""What all arms of a seed share: the pictures, the model that learned the shortcut, and its explained alignment set."""

import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from worker.benchmarks import cluster_sets, shortcut_pictures
from worker.benchmarks.alignment.kept import code_of, digest
from worker.benchmarks.alignment.plans import Plan
from worker.benchmarks.cluster_sets import ClusterSet, described, explained, trained, untrained
from worker.benchmarks.shortcut_pictures import Splits, splits
from worker.datasets import digits
from worker.datasets.synthetic import drawing, knees, lesions, shortcut
from worker.method import answers, attribution, balance, clustering, hardware, losses, masks, realignment, sampling
from worker.method.answers import logits_of
from worker.method.balance import cut_evenly, in_balance
from worker.method.realignment import AlignmentImages
from worker.vision import training as first_training
from worker.vision.baselines import baselines

# What decides the original and its explanations, beside the settings.
CODE = code_of(
    cluster_sets,
    shortcut_pictures,
    digits,
    drawing,
    knees,
    lesions,
    shortcut,
    first_training,
    realignment,
    hardware,
    losses,
    sampling,
    attribution,
    clustering,
    masks,
)
# What decides the sets with balanced classes beside.
BALANCE = code_of(balance, answers)


@dataclass(frozen=True)
class Prepared:
    """model: the original, on ``device``; chosen: (B,) int64, its alignment set among the training pictures.

    data: as every arm trains on it: with balanced classes, training pictures of rarer ones stand there again.
    made_with: a short name of the settings and the code that made them.
    """

    plan: Plan
    seed: int
    device: str
    data: Splits
    model: nn.Module
    chosen: Tensor
    explained: dict[str, Tensor]
    clusters: ClusterSet
    made_with: str

    @property
    def references(self) -> Tensor:
        """The pictures that every explanation of the seed compares with: (R, C, S, S)."""
        return baselines(self.data.train.images, self.plan.recipe.references, self.seed)

    def copy(self) -> nn.Module:
        return copy.deepcopy(self.model)

    def untrained(self) -> nn.Module:
        return untrained(self.plan.recipe, len(self.plan.classes), self.seed).to(self.device)

    def aligned(self, masks: Tensor) -> AlignmentImages:
        """Each once, for the guard holds some of them out. masks: (B, 1, S, S), 1 where the model must not look."""
        return AlignmentImages(self.data.train.images[self.chosen], self.data.train.labels[self.chosen], masks)


def prepare(plan: Plan, seed: int, device: str, folder: Path) -> Prepared:
    """Made once and kept in the folder under a name that changes with the settings and the code.

    Raises MissingSetError where the set cannot be had.
    """
    data = splits(plan.source, plan.counts, plan.recipe.preprocessing, seed)
    distinct = len(data.train)
    if plan.balanced:  # repeated pictures come last, so that the numbers of the others stay
        data = replace(data, train=data.train.take(in_balance(data.train.labels)))
    decides = {"recipe": asdict(plan.recipe), "strategy": plan.strategy, "counts": plan.counts, "code": CODE}
    of = digest({**decides, "balanced": BALANCE} if plan.balanced else decides)
    path = folder / f"original-{of}.pt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        torch.save(_made(plan, data, distinct, seed, device), draft)
        draft.replace(path)
    found = torch.load(path, weights_only=True)
    model = untrained(plan.recipe, len(plan.classes), seed)
    model.load_state_dict(found["model"])
    clusters = described(found["explained"])
    return Prepared(plan, seed, device, data, model.to(device), found["chosen"], found["explained"], clusters, of)


def _made(plan: Plan, data: Splits, distinct: int, seed: int, device: str) -> dict[str, object]:
    """Pictures are explained once: chosen are some of the first ``distinct`` ones."""
    model = trained(plan.recipe, data.train, seed, device)
    if plan.balanced:
        cut_evenly(model, data.validation.images, data.validation.labels)
    logits, labels = logits_of(model, data.train.images[:distinct]), data.train.labels[:distinct]
    chosen = sampling.alignment_set(logits, labels, plan.recipe.images, plan.strategy, seed)
    found = explained(model, data.train, chosen, plan.recipe, seed)
    return {"model": model.cpu().state_dict(), "chosen": chosen, "explained": found}
