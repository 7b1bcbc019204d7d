"""The acceptance bar, line by line: what was asked for before the training, what came of it, met or not.

Pictures that carry the shortcut flatter a model that uses it. So many right answers as were owed to the spurious
regions alone, measured before the training, may go on top of what the bar allows: it is for that that it is trained.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.languages.catalogue import gettext, msgid, ngettext
from app.languages.figures import significant
from app.languages.stored import stored
from app.models.figures import Estimate, Figures, Settling
from app.models.guard_record import GuardRecord
from app.runs.parameters import NEARLY_ALL, AcceptanceBar
from app.statistics import wilson

TOLERANCE = 1e-9  # a bar of five points is met by five points, whatever floats make of them
WAYS = ("remove", "add")  # that set an answer with a spurious region against one without


@dataclass(frozen=True)
class Line:
    """``met`` is None where it was not measured; ``why`` says so, or which group it is about.

    before, after: what it is judged on, with n and interval.
    """

    asked: str
    came: float | None
    is_change: bool  # in points with its sign, or a share
    met: bool | None
    why: str = ""
    before: Estimate | None = None
    after: Estimate | None = None


@dataclass(frozen=True)
class Owed:
    """Shares of the answers that were right and became wrong without the spurious regions, before the training."""

    share: float = 0.0
    by_group: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, guards: Iterable[GuardRecord], most: float | None) -> "Owed":
        """guards: of one training, or of those of several rounds, each of which may cost what it found.

        most: as ``AcceptanceBar.owed_at_most``, of all rounds together.
        """
        found = list(guards)
        names = {name for guard in found for name in guard.owed_by_group}
        by_group = {
            name: allowed([guard.owed_by_group[name] for guard in found if name in guard.owed_by_group], most)
            for name in names
        }
        return cls(allowed([guard.owed for guard in found], most), by_group)


NOTHING = Owed()


def allowed(owed: Sequence[Estimate], most: float | None) -> float:
    """As ``worker.method.guard.allowed``, over several rounds."""
    if most is None:
        return sum(each.value or 0.0 for each in owed)
    return min(sum(each.low or 0.0 for each in owed), most)


@dataclass(frozen=True)
class Earlier:
    """A checkpoint of an earlier round, by its number: the last one that was given or approved.

    owed: of all trainings since.
    """

    number: int
    figures: Figures
    owed: Owed = NOTHING


def lines(
    bar: AcceptanceBar, before: Figures, after: Figures, owed: Owed = NOTHING, earlier: Earlier | None = None
) -> list[Line]:
    """earlier: where nobody has approved ``before``."""
    return [
        worst_group_line(bar, before, after, owed),
        accuracy_line(bar, before, after, owed),
        every_group_line(bar, before, after, owed),
        *([] if bar.agreement_rises is None else [agreement_line(bar.agreement_rises, before, after)]),
        flips_line(bar, before, after),
        *([] if earlier is None else lines_against(earlier, bar, after)),
    ]


def lines_against(earlier: Earlier, bar: AcceptanceBar, after: Figures) -> list[Line]:
    """That nobody is served worse: else the harm that one round does would be forgiven in the next."""
    number, before = earlier.number, earlier.figures
    return [
        replace(line, asked=gettext("%(asked)s, against checkpoint %(number)s", asked=line.asked, number=number))
        for line in (
            accuracy_line(bar, before, after, earlier.owed),
            every_group_line(bar, before, after, earlier.owed),
        )
    ]


def in_points(share: float) -> str:
    return significant(100 * share, 6)


def number_of(points: str) -> int:
    """For its plural: 1 is one point, and 0.5 and 1.5 are several."""
    return 1 if points == "1" else 2


def risen(before: Estimate, after: Estimate, rise: float) -> tuple[bool | None, str]:
    """Whether it rose by so much, and why not so much is asked for where that would be over NEARLY_ALL."""
    if before.value is None or after.value is None:
        return None, why_not(before, after)
    is_near = before.value + rise > NEARLY_ALL + TOLERANCE
    why = gettext("%(share)s %% is enough: from there no rise is asked for", share=in_points(NEARLY_ALL))
    return after.value >= min(before.value + rise, NEARLY_ALL) - TOLERANCE, why if is_near else ""


def worst_group_line(bar: AcceptanceBar, before: Figures, after: Figures, owed: Owed) -> Line:
    """Asked only where a class has several groups: of classes alone the worst one has no reason to rise.

    Nor has a group that the spurious regions flattered: one that owed them more than a group may fall.
    """
    points = in_points(bar.worst_group_rises)
    asked = ngettext(
        "The worst group rises by at least %(points)s point",
        "The worst group rises by at least %(points)s points",
        number_of(points),
        points=points,
    )
    flattered = {name for name, share in owed.by_group.items() if share > bar.group_falls_at_most + TOLERANCE}
    then, now = (worst_but(flattered, each) for each in (before, after))
    met, why = risen(then, now, bar.worst_group_rises)
    if met is not None and len(after.groups) == len({group.class_name for group in after.groups}):
        met, why = None, gettext("no groups are known besides the classes")
    elif met is not None and not why and flattered & {group.name for group in before.groups}:
        why = gettext("of the groups that the spurious regions did not flatter")
    return Line(asked, difference(then, now), True, met, why, then, now)


def worst_but(flattered: set[str], figures: Figures) -> Estimate:
    if not flattered & {group.name for group in figures.groups}:
        return figures.worst_group
    found = [group.accuracy for group in figures.groups if group.counts and group.name not in flattered]
    nothing = Estimate(missing=msgid("the spurious regions flattered every group"))
    return min(found, key=lambda accuracy: 1.0 if accuracy.value is None else accuracy.value, default=nothing)


def accuracy_line(bar: AcceptanceBar, before: Figures, after: Figures, owed: Owed) -> Line:
    points = in_points(bar.accuracy_falls_at_most)
    asked = ngettext(
        "Right answers fall by at most %(points)s point",
        "Right answers fall by at most %(points)s points",
        number_of(points),
        points=points,
    )
    change = difference(before.accuracy, after.accuracy)
    met = None if change is None else change >= -bar.accuracy_falls_at_most - owed.share - TOLERANCE
    why = why_not(before.accuracy, after.accuracy)
    if met and change is not None and change < -bar.accuracy_falls_at_most - TOLERANCE:
        why = owed_in_words(owed.share)
    return Line(asked, change, True, met, why, before.accuracy, after.accuracy)


def owed_in_words(share: float) -> str:
    points = significant(100 * share, 2)
    return ngettext(
        "not counting the %(points)s point that was owed to the spurious regions alone",
        "not counting the %(points)s points that were owed to the spurious regions alone",
        number_of(points),
        points=points,
    )


def every_group_line(bar: AcceptanceBar, before: Figures, after: Figures, owed: Owed) -> Line:
    """Judged on the group that lost most of what was its own; in one of a few pictures a single answer would decide."""
    points = in_points(bar.group_falls_at_most)
    asked = ngettext(
        "No group falls by more than %(points)s point",
        "No group falls by more than %(points)s points",
        number_of(points),
        points=points,
    )
    then, now = ({group.name: group for group in each.groups} for each in (before, after))
    changes = [(change, name) for name, change in group_changes(before, after).items() if change is not None]
    large = {name for name, group in now.items() if group.counts and group.accuracy.n >= bar.smallest_group}
    judged = [each for each in changes if each[1] in large and then[each[1]].counts]
    if not judged:
        return Line(asked, None, True, None, gettext("no group was measured both before and after"))
    # What was owed may go, but is no credit to a group that lost less than that.
    own, change, name = min((min(change + owed.by_group.get(name, 0.0), 0.0), change, name) for change, name in judged)
    met, why = own >= -bar.group_falls_at_most - TOLERANCE, name
    small = [each for each in changes if each not in judged]
    if met and change < -bar.group_falls_at_most - TOLERANCE:
        why = f"{name}, {owed_in_words(owed.by_group[name])}"
    if small and min(small)[0] < change:
        why = gettext("%(name)s; not judged, of too few pictures: %(small)s", name=why, small=min(small)[1])
    return Line(asked, change, True, met, why, then[name].accuracy, now[name].accuracy)


def agreement_line(rise: float, before: Figures, after: Figures) -> Line:
    points = in_points(rise)
    asked = ngettext(
        "Answers that are the same with and without the spurious regions rise by at least %(points)s point",
        "Answers that are the same with and without the spurious regions rise by at least %(points)s points",
        number_of(points),
        points=points,
    )
    then, now = agreement_of(before), agreement_of(after)
    met, why = risen(then, now, rise)
    return Line(asked, difference(then, now), True, met, why, then, now)


def agreement_of(figures: Figures) -> Estimate:
    """Share of the answers that hold when a spurious region is taken away, or added where there is none."""
    removed = removal(figures)
    regions = removed.regions if removed else ""
    found = [each.flipped for each in figures.settling if each.operation in WAYS and each.regions == regions]
    known = [each for each in found if each.value is not None]
    if not known:
        return Estimate(missing=msgid("not measured"))
    same = sum(round((1 - (each.value or 0.0)) * each.n) for each in known)
    return wilson(same, sum(each.n for each in known))


def flips_line(bar: AcceptanceBar, before: Figures, after: Figures) -> Line:
    most = in_points(bar.answers_flip_at_most)
    asked = gettext("Answers that change when the spurious regions are taken away: at most %(most)s %%", most=most)
    then, now = removal(before), removal(after)
    if now is None or now.flipped.value is None:
        why = stored(now.flipped.missing) if now else gettext("the removal was not measured")
        return Line(asked, None, False, None, why)
    met = now.flipped.value <= bar.answers_flip_at_most + TOLERANCE
    return Line(asked, now.flipped.value, False, met, "", then.flipped if then else None, now.flipped)


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
