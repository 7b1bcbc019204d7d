"""How many answers change when the place of an artefact is filled in: what of the flip rate is not the artefact's.

An artefact that is added covers what was there, of a picture of real lesions 15 % in the median and often the lesion. A
model that rightly looks at the lesion changes its answer then, whatever it was covered with.
"""

import torch
from torch import nn

from worker.benchmarks.alignment.prepared import Prepared
from worker.method import counterfactual
from worker.method.answers import logits_of


def covered(model: nn.Module, prepared: Prepared) -> dict[str, float]:
    """The share of test predictions that change when the place where the settling test adds an artefact of another
    class is filled in from its surroundings instead; nothing where no image of another class has one.
    """
    test = prepared.data.test
    masks = test.truth[:, None].float()
    donors = counterfactual.donors_of_another_class(test.labels, masks, torch.Generator().manual_seed(prepared.seed))
    chosen = donors >= 0
    if not bool(chosen.any()):
        return {}
    filled = counterfactual.inpaint(test.images[chosen], masks[donors[chosen]])
    before, after = (logits_of(model, images).argmax(dim=1) for images in (test.images[chosen], filled))
    return {"covered": float((before != after).double().mean())}
