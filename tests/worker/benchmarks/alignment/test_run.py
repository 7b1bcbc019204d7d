from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.config import settings
from worker import lvlm
from worker.benchmarks.alignment import run, step_cost
from worker.benchmarks.alignment.arms import UnknownArmError, parsed
from worker.benchmarks.alignment.kept import Kept, Result, add, load
from worker.benchmarks.alignment.plans import planned
from worker.benchmarks.alignment.prepared import prepare
from worker.benchmarks.alignment.step_cost import ratios
from worker.benchmarks.alignment.training import _aligned
from worker.benchmarks.form import BenchmarkOptions, figure

ARMS = ("original", "control", "consistency", "consensus_25")
PLAN = planned("digits", quick=True)


@pytest.fixture(autouse=True)
def _free_step_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_cost, "ratios", lambda **_: [1.5])


def options(work: Path, **more: object) -> BenchmarkOptions:
    given = {"seeds": 1, "quick": True, "sets": ("digits",), "arms": ARMS, "work": work, **more}
    return BenchmarkOptions(**given)


def kept(work: Path, name: str = "digits") -> dict[tuple[int, str], Result]:
    """What is kept by seed and arm, without the seconds that it took."""
    return {(one.seed, one.arm): replace(one.result, seconds=0) for one in load(work / "alignment" / f"{name}.jsonl")}


def test_a_killed_command_goes_on_and_ends_like_an_unbroken_one(tmp_path: Path, monkeypatch) -> None:
    whole = run.measure(options(tmp_path / "whole"))
    measured, calls = run.measured, []

    def killed_at_the_third(model, prepared):
        calls.append(model)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measured(model, prepared)

    monkeypatch.setattr(run, "measured", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run.measure(options(tmp_path / "broken"))
    assert set(kept(tmp_path / "broken")) == {(0, "original"), (0, "control")}
    again = run.measure(options(tmp_path / "broken"))
    assert len(calls) == 5
    assert again == whole
    assert kept(tmp_path / "broken") == kept(tmp_path / "whole")


def test_more_arms_or_seeds_compute_only_what_is_missing(tmp_path: Path, monkeypatch) -> None:
    run.measure(options(tmp_path, arms=("original",)))
    made, trained = run.made, []

    def noted(arm, prepared, folder):
        trained.append((prepared.seed, arm.name))
        return made(arm, prepared, folder)

    monkeypatch.setattr(run, "made", noted)
    found = run.measure(options(tmp_path, arms=("original", "control"), seeds=2))
    assert trained == [(0, "control"), (1, "original"), (1, "control")]
    assert next(one for one in found if one.name == "alignment.digits.control.accuracy").n == 2
    assert len(list(tmp_path.glob("digits/0/original-*.pt"))) == 1


def test_a_result_of_other_settings_is_made_anew_and_not_shown(tmp_path: Path) -> None:
    arms, other = [parsed("original")], replace(PLAN, realignment=replace(PLAN.realignment, epochs=2))
    run.compute(tmp_path, tmp_path / "0", PLAN, arms, 0)
    assert run.of_set(tmp_path, PLAN, arms, range(1)).results
    assert not run.of_set(tmp_path, other, arms, range(1)).results
    run.compute(tmp_path, tmp_path / "0", other, arms, 0)
    assert run.of_set(tmp_path, PLAN, arms, range(1)).results
    assert run.of_set(tmp_path, other, arms, range(1)).results
    assert len(load(tmp_path / "digits.jsonl")) == 2
    assert [one.plan for one in run.everything(tmp_path, {}, quick=True)] == [PLAN]
    assert run.everything(tmp_path, {}, quick=False) == []


def begun_elsewhere(folder: Path, arm: str = "original") -> Kept:
    held = Kept(0, arm, run.made_with(PLAN, parsed(arm)), Result({"accuracy": 0.5, "wga": 0.25}), device="GPU 9000")
    add(folder / "digits.jsonl", held)
    return held


def test_a_seed_goes_on_only_where_it_was_begun_and_that_is_said(tmp_path: Path, capsys) -> None:
    held = begun_elsewhere(tmp_path)
    arms = [parsed("original"), parsed("control")]
    run.compute(tmp_path, tmp_path / "0", PLAN, arms, 0)
    assert load(tmp_path / "digits.jsonl") == [held]
    assert "digits, seed 0 is left out: its original is from GPU 9000, and this is cpu." in capsys.readouterr().out
    assert run.of_set(tmp_path, PLAN, arms).devices == {0: "GPU 9000"}


def test_arms_of_another_devices_original_are_not_compared(tmp_path: Path) -> None:
    arms = [parsed("original"), parsed("control")]
    run.compute(tmp_path, tmp_path / "0", PLAN, arms, 0)
    begun_elsewhere(tmp_path, "control")
    both = run.of_set(tmp_path, PLAN, arms)
    assert both.devices == {0: "cpu"}
    assert both.values(parsed("control"), "accuracy")[0] < 0.5
    begun_elsewhere(tmp_path)
    assert run.of_set(tmp_path, PLAN, arms).values(parsed("control"), "accuracy") == {0: 0.5}


def test_a_setting_that_came_later_leaves_the_names_of_older_results() -> None:
    arm, other = parsed("control"), replace(PLAN, balanced=True)
    assert "balanced" not in PLAN.settings
    assert run.made_with(PLAN, arm) != run.made_with(other, arm)


def test_a_result_without_a_consensus_outlives_a_change_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    arms = [
        parsed(each) for each in ("consistency", "normalised_rrr_25", "consistency_class", "consensus_25", "delivered")
    ]
    before = {arm.name: run.made_with(PLAN, arm) for arm in arms}
    monkeypatch.setattr(run, "BY_CONSENSUS", "other")
    changed = {arm.name for arm in arms if run.made_with(PLAN, arm) != before[arm.name]}
    assert changed == {"consistency_class", "consensus_25", "delivered"}


def test_with_balanced_classes_rare_pictures_come_again_and_are_explained_once(tmp_path: Path) -> None:
    plan = replace(PLAN, balanced=True)
    shared = prepare(plan, 0, "cpu", tmp_path)
    counts = shared.data.train.labels.bincount()
    assert set(counts.tolist()) == {int(counts.max())}
    plain = prepare(PLAN, 0, "cpu", tmp_path)
    assert len(shared.data.train) > len(plain.data.train) > int(shared.chosen.max())
    assert torch.equal(shared.data.train.images[: len(plain.data.train)], plain.data.train.images)
    aligned = _aligned(shared, torch.zeros(len(shared.chosen), 1, 28, 28)).labels.bincount()
    assert len(set(aligned[aligned > 0].tolist())) == 1
    assert len(list(tmp_path.glob("original-*.pt"))) == 2


def test_the_page_is_of_all_that_is_kept_and_is_written_after_every_seed(tmp_path: Path) -> None:
    seen = []
    run.measure(options(tmp_path, arms=("original", "control")))
    run.measure(options(tmp_path, arms=("original",), seeds=2, so_far=seen.append))
    assert [one[0].n for one in seen] == [1, 2]
    page = (tmp_path / "results.md").read_text()
    assert "| control |" in page
    assert "**Incomplete**: fewer than 7 seeds of original (2), control (1); none of consistency," in page


def test_a_set_that_is_not_here_is_left_out_and_that_is_said(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("RIGHTREASONS_REAL_DATA", str(tmp_path / "none"))
    settings.cache_clear()
    try:
        found = run.measure(options(tmp_path, sets=("knees",), size=224))
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert "The set knees_224 is left out: There is no" in capsys.readouterr().out
    assert "## knees_224\n\nLeft out on the machine that wrote this last:" in (tmp_path / "results.md").read_text()
    assert [one.name for one in found] == ["alignment.step_cost"]


def test_without_the_lvlms_weights_its_arm_is_left_out_and_that_is_said(tmp_path: Path, monkeypatch, capsys) -> None:
    def missing(*_: object, **__: object) -> None:
        raise lvlm.LVLMError("There are no weights.")

    monkeypatch.setattr(lvlm, "load", missing)
    run.measure(options(tmp_path, arms=("lvlm", "original")))
    assert "The arm lvlm is left out: There are no weights." in capsys.readouterr().out
    assert list(kept(tmp_path)) == [(0, "original")]


def test_a_rival_that_needs_groups_the_set_has_not_is_kept_as_impossible(tmp_path: Path) -> None:
    run.measure(options(tmp_path, arms=("original", "decorrelated")))
    held = kept(tmp_path)[0, "decorrelated"]
    assert held.figures == {}
    assert "Every artefact is missing in some class" in held.impossible


def test_arms_that_there_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownArmError, match="no arm 'hope'"):
        run.measure(options(tmp_path, arms=("hope",)))


def test_the_cost_of_a_step_is_measured_once(tmp_path: Path, monkeypatch) -> None:
    run.measure(options(tmp_path, arms=("original",)))
    monkeypatch.setattr(step_cost, "ratios", None)  # would fail if it were called
    found = run.measure(options(tmp_path, arms=("original",)))
    assert found[-1] == figure("alignment.step_cost", [1.5])


def test_a_step_of_consistency_costs_more_than_one_of_plain_training() -> None:
    (ratio,) = ratios(quick=True)
    assert 1 < ratio < 4
