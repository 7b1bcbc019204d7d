"""What a model is worth on the test: group by group, when the artefact is added, and where it looks."""

import torch
from torch import nn

from worker.benchmarks.alignment.kept import Result
from worker.benchmarks.alignment.plans import Plan
from worker.benchmarks.alignment.prepared import Prepared
from worker.benchmarks.shortcut_pictures import Pictures
from worker.method import evaluation
from worker.method.answers import logits_of
from worker.method.attribution import attribute
from worker.method.clustering import evidence

FLIPS: dict[evaluation.Operation, str] = {"add": "flip", "cover": "covered"}


def measured(model: nn.Module, prepared: Prepared) -> Result:
    """The figures of one model.

    wga and aga count groups of ``evaluation.MIN_GROUP`` test images or more. mu_align and evidence, the share of the
    positive evidence that lies on the artefact, are means over test images that show one.
    """
    test = prepared.data.test
    logits = logits_of(model, test.images)
    groups = evaluation.by_group(logits.argmax(dim=1) == test.labels, test.groups)
    figures = {"accuracy": evaluation.accuracy(logits, test.labels).value}
    worst, average = evaluation.worst_group(groups), evaluation.average_of_groups(groups)
    if worst is not None and average is not None:
        figures |= {"wga": worst[1].value, "aga": average.value}
    figures |= _flip(model, test, prepared) | _looks(model, test, prepared.plan, prepared)
    return Result(figures, {name: share.value for name, share in groups.items()})


def _flip(model: nn.Module, test: Pictures, prepared: Prepared) -> dict[str, float]:
    """How many predictions change when an artefact of another class is added, and when its place is only covered: of a
    picture of real lesions 15 % in the median, and often the lesion.
    """
    images, labels, masks = (
        part.to(prepared.device) for part in (test.images, test.labels, test.truth[:, None].float())
    )
    found = evaluation.settling_test(model, images, labels, masks, prepared.seed, tuple(FLIPS))
    return {FLIPS[way]: effect.flipped.value for way, effect in found.items()}


def _looks(model: nn.Module, test: Pictures, plan: Plan, prepared: Prepared) -> dict[str, float]:
    having = test.truth.flatten(1).any(dim=1).nonzero()[:, 0]
    some = having[torch.randperm(len(having), generator=torch.Generator().manual_seed(0))[: plan.explained]]
    if not len(some):
        return {}
    chosen = test.take(some)
    images, labels, references = (
        part.to(prepared.device) for part in (chosen.images, chosen.labels, prepared.references)
    )
    phi = attribute(model, images, labels, references, "deeplift_shap").cpu()
    on_artefact = (evidence(phi) * chosen.truth).sum(dim=(1, 2)).mean()
    return {"mu_align": evaluation.mu_align(phi, chosen.truth).value, "evidence": float(on_artefact)}
