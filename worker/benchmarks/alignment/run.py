"""Every set, seed and arm that is asked for: what is kept already stays, what is missing is computed.

Results are kept in ``docs/alignment``, the originals with their explanations and what the LVLM said of them in the work
folder, where they can be made again.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import torch

from app.realignment import doubts
from app.runs.parameters import BAR
from app.trust import agreement
from worker import lvlm
from worker.benchmarks import verdict_errors
from worker.benchmarks.alignment import delivered, lvlm_words, measuring, page, prepared, words
from worker.benchmarks.alignment import step_cost as steps
from worker.benchmarks.alignment.arms import ALL, BY_VERDICTS, DEFAULT, RIVALS, TOLD, Arm, in_order
from worker.benchmarks.alignment.gathered import ORIGINAL, OfSet, figures_of
from worker.benchmarks.alignment.kept import PROCESSOR, Kept, Result, add, code_of, digest, load
from worker.benchmarks.alignment.measuring import measured
from worker.benchmarks.alignment.plans import NAMES, Plan, is_size_of_real, named, planned
from worker.benchmarks.alignment.prepared import Prepared, prepare
from worker.benchmarks.alignment.training import PLAIN_STRENGTHS, made
from worker.benchmarks.form import BenchmarkOptions, Figure, figure
from worker.benchmarks.shortcut_pictures import MissingSetError
from worker.method import (
    answers,
    cluster_features,
    consensus,
    counterfactual,
    critic,
    evaluation,
    guard,
    judge,
    levels,
    marks,
    next_to_review,
    similarity,
)
from worker.method.baselines import decorrelated, groups, last_layer, protocol
from worker.method.baselines import measured as rivals_measured
from worker.method.baselines import training as rivals_training

WORK, DOCS = Path("build") / "alignment", Path("docs")
KEPT = "alignment"
SHARED = code_of(measuring, evaluation, counterfactual, answers)
BY_WORDS = code_of(words, verdict_errors)
BY_CONSENSUS = code_of(consensus, levels, similarity, cluster_features, next_to_review)
BY_LVLM = code_of(lvlm_words, critic, judge, marks)
DELIVERED = code_of(delivered, guard, doubts, agreement)
OF_RIVALS = code_of(protocol, rivals_training, rivals_measured, groups, last_layer)


def measure(options: BenchmarkOptions) -> list[Figure]:
    """Figures of the sets and arms asked for, over the seeds from 0 on.

    The page, its plots and the figures so far are written after every seed; the page is of all that is kept. Raises
    UnknownArmError.
    """
    arms, plans = in_order(options.arms or DEFAULT), _plans(options)
    work, missing = options.work or WORK, dict[str, str]()
    docs = work if options.quick else DOCS
    kept = docs / KEPT
    cost = _step_cost(kept, quick=options.quick)

    def so_far() -> list[Figure]:
        page.write(docs, everything(kept, missing, quick=options.quick), cost)
        found = [of_set(kept, plan, arms, range(options.seeds)) for plan in plans]
        return [*(figure for one in found for figure in figures_of(one)), cost]

    for plan in plans:
        for seed in range(options.seeds):
            try:
                compute(kept, work / plan.name / str(seed), plan, arms, seed)
            except MissingSetError as why:
                missing[plan.name] = str(why)
                print(f"The set {plan.name} is left out: {why}")
                break
            options.so_far(so_far())
    return so_far()


def _plans(options: BenchmarkOptions) -> list[Plan]:
    return [planned(name, options.size, quick=options.quick) for name in options.sets or NAMES]


def compute(kept: Path, work: Path, plan: Plan, arms: Sequence[Arm], seed: int) -> None:
    """Train and measure those of the arms that are not kept yet. Raises MissingSetError.

    An original that another device trained is another model: its seed goes on there alone.
    kept: the folder of results; work: that of what this seed's arms share.
    """
    held = of_set(kept, plan, arms, [seed])
    open_ones = [arm for arm in arms if arm not in held.results]
    if not open_ones:
        return
    device = "cuda" if torch.cuda.is_available() else PROCESSOR
    here = torch.cuda.get_device_name() if torch.cuda.is_available() else PROCESSOR
    begun = held.devices.get(seed, here)
    if begun != here:
        print(f"{plan.name}, seed {seed} is left out: its original is from {begun}, and this is {here}.", flush=True)
        return
    shared = prepare(plan, seed, device, work)
    for arm in open_ones:
        try:
            result = _result(arm, shared, work)
        except lvlm.LVLMError as why:
            print(f"The arm {arm.name} is left out: {why}")
            continue
        add(_of(kept, plan.name), Kept(seed, arm.name, made_with(plan, arm), result, here))
        print(f"{plan.name}, seed {seed}, {arm.name}: {result.seconds:.0f} s, {_line(result)}", flush=True)


def _of(kept: Path, name: str) -> Path:
    return kept / f"{name}.jsonl"


def made_with(plan: Plan, arm: Arm) -> str:
    """A short name of all that decides an arm's figures but the seed."""
    code = [prepared.CODE, SHARED]
    if plan.balanced:
        code.append(prepared.BALANCE)
    if arm.base in {*BY_VERDICTS, "lvlm"}:
        code.append(BY_WORDS)
    if arm.reviewed or arm.base in {"consensus", "delivered", "lvlm"}:
        code.append(BY_CONSENSUS)
    if arm.base == "lvlm":
        code += [BY_LVLM, _weights()]
    if arm.base == "delivered":
        code += [DELIVERED, digest(BAR.model_dump())]
    if arm.base == "plain_rrr":
        code.append(digest(PLAIN_STRENGTHS))
    if arm.base == "decorrelated" or arm.base in RIVALS:
        code += [OF_RIVALS, code_of(RIVALS.get(arm.base, decorrelated))]
    return digest({"plan": plan.settings, "arm": arm.name, "code": code})


@cache
def _weights() -> str:
    """A short name of the embedded LVLM's weights."""
    files = sorted(path for path in lvlm.WEIGHTS.rglob("*") if path.is_file())
    return digest([(path.name, sha256(path.read_bytes()).hexdigest()) for path in files])


def of_set(kept: Path, plan: Plan, arms: Sequence[Arm], seeds: Sequence[int] | None = None) -> OfSet:
    """What is kept of a set by today's settings and code, the latest where something was measured twice.

    Of each seed only what comes from the device of its latest original: the others compare with another model.
    seeds: only these; None: all.
    """
    lines = [one for one in load(_of(kept, plan.name)) if seeds is None or one.seed in seeds]
    first = (ORIGINAL.name, made_with(plan, ORIGINAL))
    devices = {one.seed: one.device for one in lines if (one.arm, one.made_with) == first}
    wanted = {(arm.name, made_with(plan, arm)): arm for arm in arms}
    found: dict[Arm, dict[int, Result]] = {arm: {} for arm in arms}
    for one in lines:
        arm = wanted.get((one.arm, one.made_with))
        if arm is not None and one.device == devices.get(one.seed, one.device):
            found[arm][one.seed] = one.result
    return OfSet(plan, {arm: results for arm, results in found.items() if results}, devices=devices)


def everything(kept: Path, missing: dict[str, str], *, quick: bool) -> list[OfSet]:
    """What is kept of all sets, also of arms and seeds that nobody asked for this time; and the sets left out."""
    files = {path.stem for path in kept.glob("*.jsonl")} | set(missing)
    names = [*(name for name in NAMES if name in files), *sorted(name for name in files if is_size_of_real(name))]
    plans = [named(name, quick=quick) for name in names]
    found = [replace(of_set(kept, plan, in_order(ALL)), missing=missing.get(plan.name, "")) for plan in plans]
    return [one for one in found if one.results or one.missing]


def _result(arm: Arm, shared: Prepared, folder: Path) -> Result:
    began = time.monotonic()
    try:
        trained = made(arm, shared, folder)
    except ValueError as why:
        # A rival says so where the data have no groups for it; ours have no such excuse.
        if arm.base not in TOLD:
            raise
        return Result(impossible=str(why))
    seconds = time.monotonic() - began
    return replace(measured(trained.model, shared), chosen=trained.chosen, seconds=seconds)


def _step_cost(kept: Path, *, quick: bool) -> Figure:
    """Measured once and kept like the rest."""
    path, of = _of(kept, "step_cost"), digest({"code": [prepared.CODE, code_of(steps)], "quick": quick})
    held = next((one for one in reversed(load(path)) if one.made_with == of), None)
    if held is None:
        ratios = {str(number): ratio for number, ratio in enumerate(steps.ratios(quick=quick))}
        held = Kept(0, "step_cost", of, Result(ratios))
        add(path, held)
    return figure("alignment.step_cost", list(held.result.figures.values()))


def _line(result: Result) -> str:
    told = ", ".join(f"{name} {value:.3f}" for name, value in result.figures.items())
    return told or result.impossible
