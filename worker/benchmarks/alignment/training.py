"""The model of one arm: realigned by the product's own code, or by a rival's."""

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from worker.benchmarks.alignment.arms import RIVALS, Arm
from worker.benchmarks.alignment.delivered import delivered
from worker.benchmarks.alignment.prepared import Prepared
from worker.benchmarks.alignment.words import corrective_masks
from worker.method.balance import balanced_alignment, cut_evenly
from worker.method.baselines import caipi, decorrelated, dfr, groupdro, jtt, self_explaining, self_guided, subg
from worker.method.baselines.groups import Grouped
from worker.method.baselines.measured import mean_accuracy
from worker.method.baselines.protocol import Schedule, Tuned, best_of
from worker.method.realignment import AlignmentImages, InMemory, Loss, RealignmentSettings, realign, start

# Strongest first: where validation images have the shortcut too they tell hardly any apart, and ties are to favour it.
PLAIN_STRENGTHS = (1e4, 1e2, 1.0, 1e-2, 1e-4)
LOSSES: dict[str, Loss] = {"control": "control", "plain_rrr": "plain_rrr", "normalised_rrr": "normalised_rrr"}


@dataclass(frozen=True)
class Made:
    """A model in evaluation mode, and in words the settings that it was tuned to, or which one it is and why."""

    model: nn.Module
    chosen: str = ""


def made(arm: Arm, prepared: Prepared, folder: Path) -> Made:
    """Train one arm. Raises ValueError where a rival cannot be had on these data, LVLMError where weights miss."""
    if arm.base == "original":
        return Made(prepared.model)
    found = _made(arm, prepared, folder)
    if arm.base != "delivered":  # which the guard has cut, or which is the original; a second cut moves it once more
        _cut(prepared, found.model)  # rivals too: theirs are to be compared at the same balance of the classes
    return found


def _made(arm: Arm, prepared: Prepared, folder: Path) -> Made:
    if arm.base == "delivered":
        return Made(*delivered(arm, prepared))
    if arm.base == "decorrelated" or (arm.base in RIVALS and arm.base != "caipi"):
        return _told(_UNMASKED[arm.base](prepared))
    masks = corrective_masks(arm, prepared, folder)
    if arm.base == "caipi":
        return _told(_caipi(prepared, masks))
    settings = replace(prepared.plan.realignment, loss=LOSSES.get(arm.base, "consistency"))
    if arm.base == "plain_rrr":
        return _told(_searched(prepared, masks, settings))
    return Made(_realigned(prepared, masks, settings))


def _realigned(prepared: Prepared, masks: Tensor, settings: RealignmentSettings) -> nn.Module:
    model, data = prepared.copy(), (prepared.data.train.images, prepared.data.train.labels)
    realign(
        model,
        start(model, settings),
        data,
        _aligned(prepared, masks),
        settings,
        seed=prepared.seed,
        device=prepared.device,
        epochs=settings.epochs,
        on_epoch=lambda _: _cut(prepared, model),
    )
    return model


def _cut(prepared: Prepared, model: nn.Module) -> None:
    if prepared.plan.balanced:
        of = prepared.data.validation
        cut_evenly(model, of.images, of.labels)


def _aligned(prepared: Prepared, masks: Tensor) -> AlignmentImages:
    given = prepared.aligned(masks)
    return balanced_alignment(given) if prepared.plan.balanced else given


def _searched(prepared: Prepared, masks: Tensor, settings: RealignmentSettings) -> Tuned[float]:
    """Plain RRR with the lambda of the highest mean accuracy on validation images."""
    return best_of(
        PLAIN_STRENGTHS,
        lambda strength: _realigned(prepared, masks, replace(settings, strength=strength)),
        partial(mean_accuracy, data=_validation(prepared)),
    )


def _told(tuned: Tuned[Any]) -> Made:
    chosen = vars(tuned.settings) if is_dataclass(tuned.settings) else {"strength": tuned.settings}
    return Made(tuned.model, ", ".join(f"{name} {value}" for name, value in chosen.items()))


def _training(prepared: Prepared) -> InMemory:
    return InMemory(prepared.data.train.images, prepared.data.train.labels)


def _validation(prepared: Prepared) -> InMemory:
    return InMemory(prepared.data.validation.images, prepared.data.validation.labels)


def _grouped_training(prepared: Prepared) -> Grouped:
    return Grouped(_training(prepared), prepared.data.train.labels, prepared.data.train.artefacts)


def _grouped_validation(prepared: Prepared) -> Grouped:
    return Grouped(_validation(prepared), prepared.data.validation.labels, prepared.data.validation.artefacts)


def _schedule(prepared: Prepared) -> Schedule:
    return Schedule.like(prepared.plan.realignment, len(prepared.data.train))


def _caipi(prepared: Prepared, masks: Tensor) -> Tuned[Any]:
    return caipi.tuned(
        prepared.model,
        _training(prepared),
        _validation(prepared),
        _schedule(prepared),
        prepared.seed,
        alignment=_aligned(prepared, masks),
    )


def _by_groups(rival: Any, prepared: Prepared) -> Tuned[Any]:  # noqa: ANN401 - modules have no type of their own
    both = (_grouped_training(prepared), _grouped_validation(prepared))
    found: Tuned[Any] = rival.tuned(prepared.model, *both, _schedule(prepared), prepared.seed)
    return found


def _by_labels(rival: Any, prepared: Prepared) -> Tuned[Any]:  # noqa: ANN401 - modules have no type of their own
    both = (_training(prepared), _validation(prepared))
    found: Tuned[Any] = rival.tuned(prepared.model, *both, _schedule(prepared), prepared.seed)
    return found


def _by_errors(prepared: Prepared) -> Tuned[Any]:
    both = (_training(prepared), _validation(prepared))
    return jtt.tuned(prepared.model, *both, _schedule(prepared), prepared.seed, initial=prepared.untrained())


_UNMASKED: dict[str, Callable[[Prepared], Tuned[Any]]] = {
    "decorrelated": partial(_by_groups, decorrelated),
    "subg": partial(_by_groups, subg),
    "groupdro": partial(_by_groups, groupdro),
    "dfr": partial(_by_groups, dfr),
    "jtt": _by_errors,
    "self_guided": partial(_by_labels, self_guided),
    "self_explaining": partial(_by_labels, self_explaining),
}
