"""The acceptance bar, line by line: what was asked for before the training, what came of it, met or not."""

from dataclasses import dataclass

from app.languages.catalogue import gettext, msgid
from app.languages.figures import significant
from app.languages.stored import stored
from app.models.figures import Estimate, Figures, Settling
from app.runs.parameters import AcceptanceBar

TOLERANCE = 1e-9  # a bar of five points is met by five points, whatever floats make of them


@dataclass(frozen=True)
class Line:
    """``met`` is None where it was not measured; ``why`` says so, or which group it is about."""

    asked: str
    came: float | None
    is_change: bool  # in points with its sign, or a share
    met: bool | None
    why: str = ""


def lines(bar: AcceptanceBar, before: Figures, after: Figures) -> list[Line]:
    return [
        worst_group_line(bar, before, after),
        accuracy_line(bar, before, after),
        every_group_line(bar, before, after),
        flips_line(bar, after),
    ]


def in_points(share: float) -> str:
    return significant(100 * share, 6)


def worst_group_line(bar: AcceptanceBar, before: Figures, after: Figures) -> Line:
    asked = gettext("The worst group rises by at least %(points)s points", points=in_points(bar.worst_group_rises))
    change = difference(before.worst_group, after.worst_group)
    met = None if change is None else change >= bar.worst_group_rises - TOLERANCE
    return Line(asked, change, True, met, why_not(before.worst_group, after.worst_group))


def accuracy_line(bar: AcceptanceBar, before: Figures, after: Figures) -> Line:
    asked = gettext("Right answers fall by at most %(points)s points", points=in_points(bar.accuracy_falls_at_most))
    change = difference(before.accuracy, after.accuracy)
    met = None if change is None else change >= -bar.accuracy_falls_at_most - TOLERANCE
    return Line(asked, change, True, met, why_not(before.accuracy, after.accuracy))


def every_group_line(bar: AcceptanceBar, before: Figures, after: Figures) -> Line:
    """Judged on the group that lost most, small groups too: none may be hidden."""
    asked = gettext("No group falls by more than %(points)s points", points=in_points(bar.group_falls_at_most))
    changes = [(change, name) for name, change in group_changes(before, after).items() if change is not None]
    if not changes:
        return Line(asked, None, True, None, gettext("no group was measured both before and after"))
    change, name = min(changes)
    return Line(asked, change, True, change >= -bar.group_falls_at_most - TOLERANCE, name)


def flips_line(bar: AcceptanceBar, after: Figures) -> Line:
    most = in_points(bar.answers_flip_at_most)
    asked = gettext("Answers that change when the spurious regions are taken away: at most %(most)s %%", most=most)
    removed = removal(after)
    if removed is None or removed.flipped.value is None:
        why = stored(removed.flipped.missing) if removed else gettext("the removal was not measured")
        return Line(asked, None, False, None, why)
    return Line(asked, removed.flipped.value, False, removed.flipped.value <= bar.answers_flip_at_most + TOLERANCE)


def removal(figures: Figures) -> Settling | None:
    """On the clusters that stand as spurious, else on true masks."""
    found = [each for each in figures.settling if each.operation == "remove"]
    return next((each for each in found if "clusters" in each.regions), found[0] if found else None)


def difference(before: Estimate, after: Estimate) -> float | None:
    return None if before.value is None or after.value is None else after.value - before.value


def why_not(before: Estimate, after: Estimate) -> str:
    if before.value is None:
        return gettext("before: %(why)s", why=stored(before.missing or msgid("not measured")))
    if after.value is None:
        return gettext("after: %(why)s", why=stored(after.missing or msgid("not measured")))
    return ""


def group_changes(before: Figures, after: Figures) -> dict[str, float | None]:
    """By group of ``after``; None where a group was not measured before."""
    earlier = {group.name: group.accuracy for group in before.groups}
    return {
        group.name: difference(earlier[group.name], group.accuracy) if group.name in earlier else None
        for group in after.groups
    }
