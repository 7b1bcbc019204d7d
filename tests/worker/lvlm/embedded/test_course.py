from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from worker.lvlm.embedded import course, teaching
from worker.lvlm.embedded.course import LOG, STATE, Begun, Course, keep_scenes, kept_scenes, plot
from worker.lvlm.embedded.pupils import digit_scenes
from worker.lvlm.embedded.scenes import Scene


def learner(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Linear(2, 2)
    return model, torch.optim.AdamW([{"params": list(model.parameters()), "top": 1e-3}])


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()


def test_a_killed_training_goes_on_with_its_weights_its_optimizer_and_the_time_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "SAVE_EVERY", 0.0)
    model, optimizer = learner(0)
    first = Course(tmp_path)
    first.resume(model)
    assert first.begin("look", optimizer) == Begun()
    first.finish("look", model)
    assert first.begin("heed", optimizer) == Begun()
    teaching._schedule(optimizer, 0.3)
    step(model, optimizer)
    first.on_the_way("heed", Begun(12.5, 40), model, optimizer)

    other, its_optimizer = learner(1)
    second = Course(tmp_path)
    second.resume(other)
    assert second.begin("look", its_optimizer) is None
    assert second.begin("heed", its_optimizer) == Begun(12.5, 40)
    step(model, optimizer)
    step(other, its_optimizer)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_between_saves_and_in_other_processes_nothing_is_written(tmp_path: Path) -> None:
    model, optimizer = learner(0)
    first, other = Course(tmp_path), Course(tmp_path, first=False)
    first.begin("look", optimizer)
    first.on_the_way("look", Begun(1.0, 1), model, optimizer)
    other.finish("look", model)
    other.note("look", 100, 0.5, {"naming": torch.tensor(1.0)})
    assert list(tmp_path.iterdir()) == []
    first.finish("look", model)
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def test_scenes_are_drawn_once_and_come_back_the_same(tmp_path: Path) -> None:
    drawn = digit_scenes(3, np.random.default_rng(0), (("label", "label"),))
    keep_scenes(tmp_path / "scenes.pt", lambda: drawn)

    def again() -> list[Scene]:
        raise AssertionError("They were drawn again.")

    keep_scenes(tmp_path / "scenes.pt", again)
    for one, other in zip(drawn, kept_scenes(tmp_path / "scenes.pt"), strict=True):
        assert (one.domain, one.label, one.artefact, one.core) == (
            other.domain,
            other.label,
            other.artefact,
            other.core,
        )
        for name in ("image", "assignment", "artefact_pixels", "core_pixels"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype


def test_the_plot_has_a_panel_for_each_stage_of_the_log(tmp_path: Path) -> None:
    kept = Course(tmp_path)
    for progress in (0.1, 0.9):
        kept.note("look", 1, progress, {"naming": torch.tensor(2 - progress)})
        kept.note("heed", 1, progress, {"heeding": torch.tensor(2 - progress), "looking": torch.tensor(0.5)})
    assert (tmp_path / LOG).read_text().count("\n") == 4
    drawn = plot(tmp_path).read_text()
    assert drawn.lstrip().startswith("<?xml")
    assert drawn.count('id="axes_') == 2
