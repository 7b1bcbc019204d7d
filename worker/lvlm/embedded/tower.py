"""What the patches of a picture show, as the tower is to tell it: outputs of a head, and words of the language."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from worker.lvlm.embedded import tints, wording
from worker.lvlm.embedded.building import PATCH, PICTURE, turn
from worker.lvlm.embedded.scenes import DOMAINS, Scene
from worker.method.marks import PALETTE

GRID = PICTURE // PATCH
OBJECTS = tuple((domain, thing) for domain in DOMAINS for thing in wording.THINGS)
THINGS, COLOURS, TINTS = len(OBJECTS), len(PALETTE), len(tints.TINTS)
ENOUGH = 12  # of the 144 pixels of a patch
PLACED = 0.5  # how loudly patches say where they are, beside what they show
TINTED = 0.5  # and in which colour it is


def which_thing(scores: Tensor, labels: Tensor, rarity: Tensor) -> Tensor:
    """Mean cross-entropy of which thing is shown: of each patch, and of each patch under each colour that it shows.

    scores, labels: (..., THINGS + THINGS * COLOURS); rarity: (THINGS,) is how much each thing counts. Told output by
    output, the few patches of an artefact weigh little against all that show none: this learns them twice as fast.
    """
    parts = (torch.split(each, [THINGS, THINGS * COLOURS], dim=-1) for each in (scores, labels))
    total = scores.new_zeros(())
    for given, wanted in zip(*parts, strict=True):
        told, there = given.unflatten(-1, (THINGS, -1)), wanted.unflatten(-1, (THINGS, -1))
        lost = -(told.log_softmax(dim=-2) * there).sum(dim=-2) / there.sum(dim=-2).clamp(min=1)
        weight = (there * rarity[:, None]).amax(dim=-2)
        total = total + (lost * weight).sum() / weight.sum().clamp(min=1e-6)
    return total


def spoken_by(labels: Tensor, things: Tensor, names: Tensor, colours: Tensor, places: Tensor) -> Tensor:
    """(B, 49, outputs) -> (B, 3, 49, width): what the patches of image, map and overlay should say."""
    pairs = (things[:, None] + names).flatten(0, 1)
    on_image, on_overlay, tinted = torch.split(labels, [THINGS, THINGS * COLOURS, TINTS], dim=2)
    on_map = on_overlay.reshape(*labels.shape[:2], THINGS, COLOURS).amax(dim=2)
    tint = TINTED * _mean(tinted, colours)
    told = torch.stack([_mean(on_image, things) + tint, _mean(on_map, names), _mean(on_overlay, pairs) + tint], dim=1)
    return (told + PLACED * places) @ turn().to(places.device)


def _mean(labels: Tensor, words: Tensor) -> Tensor:
    """(B, 49, outputs), (outputs, width) -> (B, 49, width): the mean of the words that apply, or 0."""
    return labels @ words / labels.sum(dim=2, keepdim=True).clamp(min=1)


def dense_labels(scene: Scene) -> Tensor:
    """(49, outputs) bool: whether a twelfth of each patch shows each thing, each colour on each thing, each tint.

    Things are those of all domains; the tint is that of the thing.
    """
    artefact, core = _as_seen(scene.artefact_pixels), _as_seen(scene.core_pixels)
    here = np.stack([artefact, core, ~(artefact | core)])  # (3, 84, 84)
    first = THINGS // len(DOMAINS) * DOMAINS.index(scene.domain)
    things = np.zeros((THINGS, PICTURE, PICTURE), dtype=np.bool_)
    things[first : first + len(here)] = here
    assignment = np.asarray(_as_seen(scene.assignment))
    colours = assignment == np.arange(COLOURS)[:, None, None]  # (6, 84, 84)
    pairs = (things[:, None] & colours).reshape(-1, PICTURE, PICTURE)
    pixels = torch.from_numpy(np.concatenate([things, pairs]))
    shown = nn.functional.avg_pool2d(pixels.float(), PATCH) * PATCH**2 >= ENOUGH
    return torch.cat([shown.flatten(1).T, _tinted(scene, shown[first : first + len(here)].flatten(1).T)], dim=1)


def _tinted(scene: Scene, things: Tensor) -> Tensor:
    """(49, 3) -> (49, 15): the tint of the first thing in each patch: of the artefact before the core."""
    tinted = torch.zeros(len(things), TINTS, dtype=torch.bool)
    for index, thing in reversed(list(enumerate(wording.THINGS))):
        tint = wording.tint_of(scene, thing)
        rows = things[:, index]
        tinted[rows] = False
        tinted[rows, tints.TINTS.index(tint)] = True
    return tinted


def _as_seen(grid: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(H, W) -> (84, 84): the nearest pixels."""
    rows, columns = ((np.arange(PICTURE) + 0.5) * length / PICTURE for length in grid.shape)
    seen: npt.NDArray[Any] = grid[rows.astype(int)[:, None], columns.astype(int)]
    return seen
