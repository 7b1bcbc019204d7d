"""The arms by name: what a model is told, and whose verdicts its corrective masks follow."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.benchmarks.verdict_errors import RATES, SYSTEMATIC
from worker.method.baselines import (
    caipi,
    decorrelated,
    dfr,
    groupdro,
    jtt,
    self_explaining,
    self_guided,
    subg,
)

RIVALS = {
    "subg": subg,
    "jtt": jtt,
    "dfr": dfr,
    "groupdro": groupdro,
    "caipi": caipi,
    "self_guided": self_guided,
    "self_explaining": self_explaining,
}
TOLD: dict[str, str] = {"decorrelated": decorrelated.TOLD, **{name: rival.TOLD for name, rival in RIVALS.items()}}
# Those whose masks follow verdicts, so that the verdicts can be wrong.
BY_VERDICTS = ("plain_rrr", "normalised_rrr", "consistency", "consensus", "delivered", "caipi")
BASES = (
    "original",
    "control",
    "plain_rrr",
    "normalised_rrr",
    "consistency",
    "consensus",
    "delivered",
    "lvlm",
    "true_masks",
    "decorrelated",
    *RIVALS,
)
ERRORS = (*RATES, *SYSTEMATIC)
# What is run where nothing is asked for: first what others are compared with, last what takes longest.
DEFAULT = (
    "original",
    "control",
    "consistency",
    "consensus",
    "consensus_13",
    "consensus_25",
    "consensus_40",
    "consensus_50",
    "consensus_class",
    "consensus_all",
    "delivered",
    "delivered_25",
    "delivered_50",
    "consistency_13",
    "consistency_25",
    "consistency_40",
    "consistency_50",
    "consistency_class",
    "consistency_all",
    "normalised_rrr",
    "normalised_rrr_25",
    "true_masks",
    "lvlm",
    "decorrelated",
    *RIVALS,
    "plain_rrr",
)

ALL = (*BASES, *(f"{base}_{error}" for base in BY_VERDICTS for error in ERRORS))


class UnknownArmError(ValueError):
    """There is no arm of that name; the message lists those there are."""


@dataclass(frozen=True, order=True)
class Arm:
    """base: one of ``BASES``; error: one of ``ERRORS``, or empty for verdicts that are all right."""

    base: str
    error: str = ""

    @property
    def name(self) -> str:
        return f"{self.base}_{self.error}" if self.error else self.base

    @property
    def told(self) -> str:
        """What it knows that our own arms do not; empty for these. True verdicts are told to both, and so are none."""
        told = TOLD.get(self.base, "")
        return "" if told == "nothing" else told

    @property
    def reviewed(self) -> bool:
        """Whether a person answers for some of the clusters, as they do where a judge errs about a kind of region."""
        return self.base == "lvlm" or self.error in SYSTEMATIC


def parsed(name: str) -> Arm:
    """``consensus_25`` is consensus where a quarter of the verdicts is wrong. Raises UnknownArmError."""
    if name in BASES:
        return Arm(name)
    base, _, error = name.rpartition("_")
    if base in BY_VERDICTS and error in ERRORS:
        return Arm(base, error)
    raise UnknownArmError(
        f"There is no arm {name!r}. There are: {', '.join(BASES)}; "
        f"{', '.join(BY_VERDICTS)} with an error: {', '.join('_' + error for error in ERRORS)}."
    )


def in_order(names: Sequence[str]) -> list[Arm]:
    """The arms of these names without repetition, as the page lists them."""
    return sorted({parsed(name) for name in names}, key=_place)


def _place(arm: Arm) -> tuple[int, int]:
    return BASES.index(arm.base), ERRORS.index(arm.error) + 1 if arm.error else 0
