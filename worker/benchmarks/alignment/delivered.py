"""The arm ``delivered``: what the product would hand over, its doubts and its guard included.

The verdicts are those of the arm ``consensus``. Where something speaks against a training before it begins the product
asks an owner for a reason; here nobody gives one, and the original is delivered. Else the guard chooses the epoch under
the product's default bar, knowing no groups of the validation images, and where none keeps it the original stays. The
doubts rest on a blind reading as large as the product asks for, drawn at random and answered truly, of which no mask
learns.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from app.models.figures import Estimate
from app.projects.queries import REVIEW_SAMPLE
from app.realignment.doubts import Found, doubts
from app.realignment.ingredients import Ingredients
from app.runs.parameters import BAR
from app.statistics import wilson
from app.trust.agreement import cohens_kappa
from worker.benchmarks.alignment.arms import Arm
from worker.benchmarks.alignment.prepared import Prepared
from worker.benchmarks.consensus import reviews
from worker.benchmarks.verdict_errors import Flags, erring
from worker.method.consensus import Consensus, consensus, probe
from worker.method.guard import Delivered, Validation, guarded
from worker.method.masks import corrective_mask
from worker.tasks.agree import WHY
from worker.tasks.watched import bar_of


@dataclass(frozen=True)
class Agreed:
    """judged: (N,) the judge's verdicts, true for spurious; standing: what the consensus makes of them.

    fell_back: why the consensus compared nothing, as its run stores it, empty where it did.
    answers: how many clusters a person reviewed.
    """

    judged: Flags
    standing: Consensus
    fell_back: str
    answers: int


def delivered(arm: Arm, prepared: Prepared) -> tuple[nn.Module, str]:
    """The model that is handed over, and in words which one it is and why."""
    agreed = agreed_on(arm, prepared)
    if not agreed.standing.spurious.any():
        return prepared.model, "the original: no cluster stands as spurious"
    if against := doubts(found_before(agreed, prepared)):
        return prepared.model, f"the original: {' '.join(doubt.sentence for doubt in against)}"
    model, data = prepared.copy(), prepared.data
    outcome = guarded(
        model,
        (data.train.images, data.train.labels),
        prepared.aligned(masks_of(agreed.standing.spurious, prepared)),
        prepared.plan.realignment,
        bar_of(BAR, groups=False),
        Validation(data.validation.images, data.validation.labels),
        seed=prepared.seed,
        device=prepared.device,
        balanced=prepared.plan.balanced,
    )
    return model, _told(outcome)


def agreed_on(arm: Arm, prepared: Prepared) -> Agreed:
    """The verdicts of the arm ``consensus`` with the same error."""
    data = prepared.clusters
    said = erring(arm.error, data.truth, data.places, data.clusters.classes, prepared.seed)
    found = probe(data.clusters, said.words)
    answers = reviews(found, data.truth) if arm.reviewed else {}
    return Agreed(said.verdicts, consensus(found, answers), WHY[found.fell_back], len(answers))


def found_before(agreed: Agreed, prepared: Prepared) -> Found:
    """What the product would find before the training."""
    data, standing = prepared.clusters, agreed.standing
    labels, spurious = prepared.data.train.labels[prepared.chosen].tolist(), int(standing.spurious.sum())
    return Found(
        ingredients=Ingredients(
            pictures=len(labels),
            with_spurious=len(np.unique(data.clusters.images[standing.spurious])),
            spurious=spurious,
            relevant=len(data.truth) - spurious,
            uncertain=0,
            by_people=agreed.answers,
            by_similar=standing.source.count("probe"),
        ),
        kappa=blind_kappa(agreed.judged, data.truth, prepared.seed),
        fell_back=agreed.fell_back,
        differ=wilson(int(standing.overruled.sum()), len(data.truth)),
        without=[name for label, name in enumerate(prepared.plan.classes) if label not in labels],
    )


def blind_kappa(judged: Flags, truth: Flags, seed: int) -> Estimate:
    """The judge's agreement with a person who reads blind and is right: on 24 clusters, of few on half of them."""
    order = np.random.default_rng([seed, REVIEW_SAMPLE]).permutation(len(truth))
    read = order[: min(REVIEW_SAMPLE, (len(truth) + 1) // 2)]
    return cohens_kappa([(str(judged[index]), str(truth[index])) for index in read])


def masks_of(spurious: Flags, prepared: Prepared) -> Tensor:
    """(B, 1, S, S), 1 on the clusters of which ``spurious`` (N,) is true."""
    data, flags = prepared.clusters, torch.zeros_like(prepared.explained["share"], dtype=torch.bool)
    flags[data.clusters.images, data.components] = torch.from_numpy(spurious)
    return corrective_mask(prepared.explained["assignment"], flags)


def _told(outcome: Delivered) -> str:
    epoch = f"epoch {outcome.choice.epoch} of {len(outcome.seen)}"
    if outcome.choice.keeps:
        return f"{epoch}, which keeps the bar"
    missed = ", ".join(outcome.choice.missed)
    return f"the original: no epoch keeps the bar; {epoch}, which harms least, misses {missed}"
