"""Whose word an arm follows: verdicts that are right, that err in a known way, or the embedded LVLM's."""

from pathlib import Path

import torch
from torch import Tensor

from worker.benchmarks.alignment.arms import Arm
from worker.benchmarks.alignment.lvlm_words import lvlm_words
from worker.benchmarks.alignment.prepared import Prepared
from worker.benchmarks.consensus import reviews
from worker.benchmarks.verdict_errors import Flags, Judged, erring
from worker.method.consensus import consensus, probe
from worker.method.masks import corrective_mask


def corrective_masks(arm: Arm, prepared: Prepared, folder: Path) -> Tensor:
    """Where the arm says that the model must not look, on every alignment image: (B, 1, S, S).

    folder: where the LVLM's words are kept. Raises LVLMError where they are wanted and its weights are missing.
    """
    if arm.base == "true_masks":
        return prepared.data.train.truth[prepared.chosen][:, None].float()
    said, clusters = verdicts(arm, prepared, folder), prepared.clusters
    spurious = torch.zeros_like(prepared.explained["share"], dtype=torch.bool)
    spurious[clusters.clusters.images, clusters.components] = torch.from_numpy(said)
    return corrective_mask(prepared.explained["assignment"], spurious)


def verdicts(arm: Arm, prepared: Prepared, folder: Path) -> Flags:
    """Which of the N clusters the arm takes for spurious. Errors are the same for every arm of a seed."""
    data = prepared.clusters
    if arm.base == "lvlm":
        words = lvlm_words(prepared, folder)
        judged = Judged(words > 0.5, words)  # noqa: PLR2004 - the likelier word
    else:
        judged = erring(arm.error, data.truth, data.places, data.clusters.classes, prepared.seed)
    if not arm.reviewed and arm.base != "consensus":
        return judged.verdicts
    found = probe(data.clusters, judged.words)
    answers = reviews(found, data.truth) if arm.reviewed else {}
    if arm.base in {"consensus", "lvlm"}:
        return consensus(found, answers).spurious
    corrected = judged.verdicts.copy()
    for index, answer in answers.items():
        corrected[index] = answer
    return corrected
