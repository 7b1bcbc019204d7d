"""Whose word an arm follows: verdicts that are right, that err in a known way, or the embedded LVLM's."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from worker import lvlm
from worker.benchmarks.alignment.arms import Arm
from worker.benchmarks.alignment.prepared import Prepared
from worker.benchmarks.consensus import reviews
from worker.benchmarks.verdict_errors import Flags, Floats, Judged, erring
from worker.method.consensus import consensus, probe
from worker.method.critic import Case, criticise
from worker.method.judge import judge
from worker.method.marks import draw_marks
from worker.method.masks import corrective_mask
from worker.vision.preprocessing import to_pixels

CRITICISED_AT_ONCE = 50


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


def lvlm_words(prepared: Prepared, folder: Path) -> Floats:
    """The embedded LVLM's P(spurious) of every cluster (N,), kept when it has been asked. Raises LVLMError."""
    path = folder / "said.json"
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if len(kept) == len(prepared.clusters.clusters):
            return np.array(kept)
    words = _asked(prepared)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(words.tolist()), encoding="utf-8")
    draft.replace(path)
    return words


def _asked(prepared: Prepared) -> Floats:
    critic = lvlm.load(lvlm.EMBEDDED, device=prepared.device)
    images, numbers = prepared.clusters.clusters.images, prepared.clusters.components
    words = np.full(len(images), np.nan)
    for some in torch.split(torch.arange(len(prepared.chosen)), CRITICISED_AT_ONCE):
        cases = [_case(prepared, int(image)) for image in some]
        for image, row in zip(some.tolist(), judge(critic, cases, criticise(critic, cases)), strict=True):
            for index in np.flatnonzero(images == image):
                words[index] = row[numbers[index]].p_spurious
    return words


def _case(prepared: Prepared, image: int) -> Case:
    """What the LVLM is shown of one image: the clusters that are shown to anyone, with their numbers."""
    plan, index = prepared.plan, prepared.chosen[image]
    pixels = to_pixels(prepared.data.train.images[index][None], plan.recipe.preprocessing)[0].numpy()
    assignment = prepared.explained["assignment"][image].numpy().copy()
    shown = prepared.clusters.components[prepared.clusters.clusters.images == image]
    assignment[~np.isin(assignment, shown)] = -1
    specification = plan.specification(int(prepared.data.train.labels[index]))
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return Case(draw_marks(picture, assignment), specification.name, specification)
