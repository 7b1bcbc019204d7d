"""docs/results.md: a table, a plot and every seed of each set, written from what is kept and by nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from worker.benchmarks.alignment.arms import DEFAULT, Arm, parsed
from worker.benchmarks.alignment.gathered import CONTROL, LVLM, ORIGINAL, OURS, OfSet
from worker.benchmarks.alignment.goals import GOALS, STEP_COST, Goal
from worker.benchmarks.alignment.kept import PROCESSOR
from worker.benchmarks.alignment.plans import CHOSEN, Plan
from worker.benchmarks.alignment.plot import drawn
from worker.benchmarks.form import Figure

SEEDS = 7
HEAD = f"""# What realignment reaches

Written by `rightreasons benchmark alignment` and by nothing else; the code that is measured is the product's own. Each
model learns a shortcut first (*original*). Every arm goes on from the same original of a seed, on the same pictures,
for as many steps, but for *dfr*, which fits a last layer alone, *jtt*, which trains twice, and what ends early by
validation images. An arm named with a number follows verdicts of which so many percent are wrong at random (50 is pure
noise); `class` and `all` stand for a judge that is wrong about a kind of region, in one class or in all, where 24
clusters chosen by the system are reviewed and answered truly. Errors are the same for every arm of a seed.

**WGA** is the accuracy of the worst group of test images (class with artefact), **AGA** the mean over groups; *d* is
the difference to the original of the same seed. **Flip** is the share of test predictions that change when an artefact
of the other class is added, by the operation that *consistency* trains with; **covered** (in results since it is
measured) the share that change when its place is filled in from the surroundings instead: so much of the flip is what
the artefact hides, which is at times the picture's own artefact. **Evidence** is the share of the positive evidence
that lies on the artefact, **off artefact** mu_Align, both over test images that show one, to be read beside the
accuracy. *p* is Wilcoxon's signed-rank test of WGA over paired seeds, against the original and against the control:
{SEEDS} seeds can give .016, five .06, and fewer say nothing; the arms are many, and nothing is corrected for that. *s*
is the training by the clock, tuning included, on a machine that others used too. Means stand with their standard
deviation over *n* seeds.

The knees and `skin_lesions` are semi-real: real side markers were pasted into real radiographs; of the lesions some
were photographed with a patch. Each test image stands once with an artefact and once without, of which one was pasted.
Their training, validation and test pictures are the same for every seed, so that deviations and *p* tell of other
trainings and alignment sets and not of other patients; a group has about 150 test images of knees, and 421 or 108 of
lesions, so that a share of .86 of such a group has an error of .02 to .03 of its own.

Arms: *control* takes the same steps without a correction. *plain_rrr* and *normalised_rrr* penalise gradients (Ross et
al. 2017). *consistency* is ours, on true verdicts on the clusters unless it says otherwise, read off the true masks of
the alignment images; `consistency_50` is its control for what covering and pasting anything does. *consensus* is the
same after the consensus over images; *delivered* what the product would hand over of that: its guard chooses the epoch
under its default bar without group labels, and where no epoch keeps it, or the product would ask for a reason before it
trains, it is the original. *lvlm* follows the embedded LVLM's verdicts, consensus and 24 reviews, which are answered
from the true masks. *true_masks* takes these for the clusters, which is a bound; *decorrelated* draws the training
pictures so that label and artefact tell nothing of each other, which is none, since the rare groups are few pictures
many times. The others are rivals; in brackets stands what a rival is told that our arms are not, or, for masks, are
too. Those without brackets are told nothing but labels, less than *consistency*, whose verdicts are true, and than
*lvlm*, which is told a few sentences and 24 answers. They are simplified where their files in
`worker/method/baselines/` say so; most: *self_guided* has directions of features for words of captions, and *jtt* goes
on from the original.
"""
GOAL_HEAD = f"""## What was to be reached

Written down before it was measured; what is asked of the drawn lesions is what their first seed came to, by the
consensus as it is now, and that seed is left out there. Of *consistency*, `ahead_of_control` is its WGA minus the
control's; `lead_groups` minus that of the best rival that is told groups, `lead` minus that of the best that is not,
best being which it leads least; `most_harmed` the change of the group that loses most, without the one that the
original serves best, since the shortcut flattered it. With fewer than {SEEDS} seeds, of a rival too where the best one
is meant, an answer is not yet one. That no harm is delivered is told of verdicts that are pure noise: each time so far
the product asked for a reason before it trained, and none was given. How often right verdicts pass says the arm
*delivered*.
"""
BALANCED = " Every class is shown equally often, and the line between them drawn on validation images."
COLUMNS = (
    "arm",
    "WGA",
    "dWGA",
    "dAGA",
    "accuracy",
    "flip",
    "covered",
    "off artefact",
    "evidence",
    "p",
    "p control",
    "s",
    "n",
)
GOAL_COLUMNS = ("set", "figure", "asked", "came to", "n", "reached")


def write(folder: Path, sets: Sequence[OfSet], cost: Figure) -> None:
    """results.md and a plot for each set that has results, in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for found in sets:
        if found.results:
            (folder / _plot(found.plan)).write_text(drawn(found), encoding="utf-8")
    goals = "\n".join(_table([GOAL_COLUMNS, *(row for found in sets for row in _goals(found)), _goal_of_cost(cost)]))
    parts = [HEAD, f"{GOAL_HEAD}\n{goals}\n", CHOSEN, _cost(cost), *("\n".join(_section(found)) for found in sets)]
    (folder / "results.md").write_text("\n".join(part.rstrip("\n") + "\n" for part in parts), encoding="utf-8")


def _goals(found: OfSet) -> Iterator[tuple[str, ...]]:
    for goal in GOALS.get(found.plan.name, ()):
        values = goal.values(found)
        name, asked = f"{goal.arm}.{goal.name}", f"{goal.side} {goal.bound:g}"
        yield found.plan.name, name, asked, _came(goal, values), str(len(values)), _reached(goal, found, values)


def _came(goal: Goal, values: Mapping[int, float]) -> str:
    if not values:
        return "not measured"
    if goal.name == "p":
        return _p(next(iter(values.values())))
    return f"least {min(values.values()):.3f}" if goal.side == "on every seed above" else _spread(values)


def _reached(goal: Goal, found: OfSet, values: Mapping[int, float]) -> str:
    if not values:
        return ""
    told = "yes" if goal.is_reached(list(values.values())) else "**no**"
    is_whole = len(values) + len(goal.given) >= SEEDS and goal.is_of_all(found, SEEDS)
    return told if is_whole else f"{told}, so far"


def _goal_of_cost(cost: Figure) -> tuple[str, ...]:
    told = "yes" if cost.value <= STEP_COST else "**no**"
    return "any", "step over a plain step", f"at most {STEP_COST:g}", f"{cost.value:.2f}", str(cost.n), told


def _plot(plan: Plan) -> str:
    return f"alignment_{plan.name}.svg"


def _cost(cost: Figure) -> str:
    return (
        f"A step of consistency takes {cost.value:.2f} times as long as one of the control on the same batches "
        f"(one thread, small CNN at 72 pixels, {cost.n} interleaved repeats, {min(cost.values):.2f} to "
        f"{max(cost.values):.2f})."
    )


def _section(found: OfSet) -> Iterator[str]:
    yield f"## {found.plan.name}\n"
    if found.missing:
        yield f"Left out on the machine that wrote this last: {found.missing}\n"
    if not found.results:
        return
    yield _of_plan(found.plan)
    yield f"{_complete(found)}{_devices(found)}\n"
    yield f"![Worst-group accuracy of every arm and seed]({_plot(found.plan)})\n"
    yield from _table([COLUMNS, *(_row(found, arm) for arm in found.results if found.values(arm, "accuracy"))])
    yield from _impossible(found)
    yield from _rivals(found)
    yield from _harmed(found)
    yield "\nWorst-group accuracy of every seed:\n"
    yield from _table(_by_seed(found))
    yield "\nAccuracy of every group, the mean over seeds:\n"
    yield from _table(_by_group(found))


def _of_plan(plan: Plan) -> str:
    recipe, how = plan.recipe, plan.realignment
    return (
        f"{recipe.architecture} at {recipe.size} pixels; original: {recipe.epochs} epochs at {recipe.learning_rate:g}. "
        f"Alignment set: {recipe.images} training images, `{plan.strategy}`; clusters of DeepLIFT SHAP with "
        f"{recipe.references} references, sharpening {recipe.sharpening:g}, support {recipe.support:g}. Realignment: "
        f"{how.epochs} epochs at {how.learning_rate:g}, batches of {how.batch_size}, c = {how.consistency:g}, paste "
        f"{how.paste_probability:g}.{BALANCED if plan.balanced else ''}\n"
    )


def _complete(found: OfSet) -> str:
    short = [f"{arm.name} ({len(results)})" for arm, results in found.results.items() if len(results) < SEEDS]
    none = [name for name in DEFAULT if parsed(name) not in found.results]
    told = [f"fewer than {SEEDS} seeds of {', '.join(short)}"] if short else []
    told += [f"none of {', '.join(none)}"] if none else []
    return f"**Incomplete**: {'; '.join(told)}." if told else f"Every arm has {SEEDS} seeds or more."


def _devices(found: OfSet) -> str:
    """A seed's original and all its arms come from one device."""
    names = sorted(set(found.devices.values()), key=lambda name: (name != PROCESSOR, name))
    told = [_device(name, [seed for seed, device in found.devices.items() if device == name]) for name in names]
    return f" Computed on {'; '.join(told)}." if told else ""


def _device(name: str, seeds: Sequence[int]) -> str:
    of = f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(str(seed) for seed in sorted(seeds))}"
    return f"a processor ({of})" if name == PROCESSOR else f"{name}, with bfloat16 ({of})"


def _row(found: OfSet, arm: Arm) -> tuple[str, ...]:
    seconds = [result.seconds for result in found.results[arm].values()]
    return (
        f"{arm.name} ({arm.told})" if arm.told else arm.name,
        _spread(found.values(arm, "wga")),
        "" if arm == ORIGINAL else _spread(found.differences(arm, "wga"), sign="+"),
        "" if arm == ORIGINAL else _spread(found.differences(arm, "aga"), sign="+"),
        *(_spread(found.values(arm, name)) for name in ("accuracy", "flip", "covered", "mu_align", "evidence")),
        _p(found.p(arm)),
        "" if arm == ORIGINAL else _p(found.p(arm, CONTROL)),
        f"{mean(seconds):.0f}",
        str(len(seconds)),
    )


def _spread(values: Mapping[int, float], sign: str = "") -> str:
    """The mean, and the standard deviation where there is one."""
    if not values:
        return ""
    told = f"{mean(values.values()):{sign}.3f}"
    return f"{told} ± {stdev(values.values()):.3f}" if len(values) > 1 else told


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _impossible(found: OfSet) -> Iterator[str]:
    for arm, results in found.results.items():
        if why := next((result.impossible for result in results.values() if result.impossible), ""):
            yield f"\n{arm.name} is not possible here: {why}"


def _rivals(found: OfSet) -> Iterator[str]:
    rivals = [*found.rivals(told_groups=True), *found.rivals(told_groups=False)]
    if not rivals:
        return
    yield "\nWGA of ours minus that of each rival, on the seeds of both:\n"
    rows = [("rival", *(f"{ours.name}, {what}" for ours in (OURS, LVLM) for what in ("ahead by", "least seed", "n")))]
    for rival in rivals:
        told: list[str] = []
        for ours in (OURS, LVLM):
            ahead = found.differences(ours, "wga", rival)
            told += [_spread(ahead, "+"), f"{min(ahead.values()):+.3f}" if ahead else "", str(len(ahead))]
        rows.append((f"{rival.name} ({rival.told})" if rival.told else rival.name, *told))
    yield from _table(rows)


def _harmed(found: OfSet) -> Iterator[str]:
    if harmed := found.most_harmed(OURS):
        name, changes = harmed
        yield (
            f"\nOf consistency the group that changes for the worst, without the one that the original serves best: "
            f"{name}, {_spread(changes, '+')} (least seed {min(changes.values()):+.3f}, n = {len(changes)})."
        )


def _by_seed(found: OfSet) -> list[tuple[str, ...]]:
    seeds = sorted({seed for results in found.results.values() for seed in results})
    rows = [("arm", *(f"seed {seed}" for seed in seeds))]
    for arm in found.results:
        values = found.values(arm, "wga")
        told = [f"{values[seed]:.3f}" if seed in values else "" for seed in seeds]
        rows += [(arm.name, *told)] if values else []
    return rows


def _by_group(found: OfSet) -> list[tuple[str, ...]]:
    names = sorted({name for results in found.results.values() for one in results.values() for name in one.groups})
    rows = [("arm", *names)]
    for arm, results in found.results.items():
        held = [result.groups for result in results.values() if result.groups]
        if held:
            means = [[groups[name] for groups in held if name in groups] for name in names]
            rows.append((arm.name, *(f"{mean(values):.2f}" if values else "" for values in means)))
    return rows


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(rows[0])} |"
    yield f"|{'---|' * len(rows[0])}"
    for row in rows[1:]:
        yield f"| {' | '.join(row)} |"
