"""What the embedded LVLM says of the clusters of an alignment set, kept when it has been asked."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from worker import lvlm
from worker.benchmarks.alignment.kept import digest
from worker.benchmarks.alignment.prepared import Prepared
from worker.benchmarks.verdict_errors import Floats
from worker.method.critic import Case, criticise
from worker.method.judge import judge
from worker.method.marks import draw_marks
from worker.vision.preprocessing import to_pixels

CRITICISED_AT_ONCE = 50


def lvlm_words(prepared: Prepared, folder: Path) -> Floats:
    """The embedded LVLM's P(spurious) of every cluster (N,). folder: where they are kept. Raises LVLMError."""
    critic = lvlm.load(lvlm.EMBEDDED, device=prepared.device)
    words = [prepared.plan.relevant, prepared.plan.spurious]
    path = folder / f"said-{digest([prepared.made_with, critic.identity, words])}.json"
    if path.exists():
        return np.array(json.loads(path.read_text(encoding="utf-8")))
    found = _asked(critic, prepared)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(found.tolist()), encoding="utf-8")
    draft.replace(path)
    return found


def _asked(critic: lvlm.LVLM, prepared: Prepared) -> Floats:
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
