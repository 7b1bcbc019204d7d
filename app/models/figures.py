"""The figures of a report, as they are stored: every one with its n, an interval where it is an estimate."""

from pydantic import BaseModel, ConfigDict


class Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(Stored):
    """A share of 1 with its 95 % interval; ``missing`` says why there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    missing: str = ""


class Group(Stored):
    """Images of one class and one combination of the chosen attributes."""

    name: str
    class_name: str
    attributes: dict[str, str] = {}
    accuracy: Estimate
    counts: bool = True  # too small a group is shown, but is not the worst group


class Settling(Stored):
    """What happens to the answers when the spurious regions are removed, added or moved, or when the place of one that
    is added is only covered.
    """

    operation: str  # remove, add, cover or move
    regions: str  # "true masks", or clusters that stand as spurious
    flipped: Estimate
    change: float | None = None  # mean absolute change of P(label)


class Figures(Stored):
    accuracy: Estimate
    groups: list[Group]
    worst_group: Estimate
    worst_group_name: str
    average_of_groups: Estimate
    mu_align: Estimate
    evidence_on_spurious: Estimate  # on clusters that stand as spurious, of alignment images that have some
    evidence_on_relevant: Estimate = Estimate(missing="not measured")  # of the same images
    evidence_outside: Estimate = Estimate(missing="not measured")  # every cluster
    settling: list[Settling]
