"""Models that learned a shortcut and their attributions by every method, made once and kept in build/clusters."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from worker.benchmarks.cluster_sets import KEPT, RECIPES, Prepared, Recipe, prepared, quickened
from worker.method.attribution import Method
from worker.method.halves import Halves, in_halves
from worker.vision.architectures import build

# Images whose artefact is looked for, and those that the settings are chosen on: a draw from the whole alignment set.
MOST_MARKED, SAMPLE = 75, 32
WEIGHTS, PARTS = "weights.", ("images", "labels", "truth", "references")


@dataclass(frozen=True)
class ExplainedModel:
    """A model and B images: those of ``marked`` carry the artefact, those of ``sample`` are drawn at random."""

    ready: Prepared
    marked: Tensor
    sample: Tensor
    name: str

    def predict(self, images: Tensor) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = self.ready.model(images)
        return logits


@dataclass(frozen=True)
class TimedHalves:
    halves: Halves
    seconds_an_image: float


def explained_model(name: str, seed: int, *, quick: bool = False) -> ExplainedModel:
    """One of ``RECIPES``, that of an earlier call where it was kept. Raises MissingSetError.

    quick: few pictures and one epoch, and nothing is kept.
    """
    if quick:
        return _chosen(prepared(name, quickened(RECIPES[name]), seed), f"{name}-{seed}", seed)
    kept = _once(KEPT / f"model-{name}-{seed}.pt", lambda: _as_kept(prepared(name, RECIPES[name], seed)))
    return _chosen(_restored(RECIPES[name], kept), f"{name}-{seed}", seed)


def attributions(explained: ExplainedModel, method: Method, *, quick: bool = False) -> TimedHalves:
    """Of all its images; processor seconds, so that what else the machine does counts little."""
    if quick:
        made = _attributed(explained, method)
    else:
        made = _once(KEPT / f"{method}-{explained.name}.pt", lambda: _attributed(explained, method))
    return TimedHalves(Halves(made["whole"], made["first"], made["second"]), float(made["seconds"]))


def _attributed(explained: ExplainedModel, method: Method) -> dict[str, Tensor]:
    ready = explained.ready
    started = time.process_time()
    halves = in_halves(ready.model, ready.images, ready.labels, ready.references, method)
    spent = (time.process_time() - started) / len(ready.images)
    return {**vars(halves), "seconds": torch.tensor(spent)}


def _chosen(ready: Prepared, name: str, seed: int) -> ExplainedModel:
    """Leaves out the images that are neither looked at for the artefact nor in the sample: attribution is slow."""
    carries = ready.truth.flatten(1).any(dim=1)
    order = torch.randperm(len(carries), generator=torch.Generator().manual_seed(seed))
    sampled = torch.zeros_like(carries).scatter(0, order[:SAMPLE], value=True)
    marked = carries & (carries.cumsum(dim=0) <= MOST_MARKED)
    kept = (sampled | marked).nonzero()[:, 0]
    parts = (ready.images[kept], ready.labels[kept], ready.truth[kept], ready.references)
    return ExplainedModel(
        Prepared(ready.model, *parts), marked[kept].nonzero()[:, 0], sampled[kept].nonzero()[:, 0], name
    )


def _as_kept(ready: Prepared) -> dict[str, Tensor]:
    with torch.inference_mode():
        classes = ready.model(ready.images[:1]).shape[1]
    weights = {f"{WEIGHTS}{name}": part for name, part in ready.model.state_dict().items()}
    return {**weights, "classes": torch.tensor(classes), **{name: getattr(ready, name) for name in PARTS}}


def _restored(recipe: Recipe, kept: dict[str, Tensor]) -> Prepared:
    model = build(recipe.architecture, int(kept["classes"]), recipe.preprocessing)
    weights = {name.removeprefix(WEIGHTS): part for name, part in kept.items() if name.startswith(WEIGHTS)}
    model.load_state_dict(weights)
    return Prepared(model.eval(), *(kept[name] for name in PARTS))


def _once(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        torch.save(make(), draft)
        draft.replace(path)
    found: dict[str, Tensor] = torch.load(path, weights_only=True)
    return found
