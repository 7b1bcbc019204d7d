import pytest
import torch
from torch import nn

from worker.method import realignment
from worker.method.baselines.protocol import Optimisation, Schedule, best_of
from worker.method.realignment import AlignmentImages, InMemory, RealignmentSettings


@pytest.mark.parametrize(("images", "share"), [(500, 0.5), (500, 0.25), (20, 0.5)])
def test_a_schedule_has_as_many_steps_as_a_realignment(images: int, share: float) -> None:
    settings = RealignmentSettings(epochs=3, batch_size=64, alignment_share=share, learning_rate=2e-3)
    training = InMemory(torch.zeros(images, 1, 1, 1), torch.zeros(images, dtype=torch.int64))
    alignment = AlignmentImages(training.images[:10], training.labels[:10], torch.ones(10, 1, 1, 1))
    each = len(list(realignment._batches(training, alignment, settings, torch.Generator().manual_seed(0))))
    assert Schedule.like(settings, images) == Schedule(3 * each, 64, 2e-3, settings.weight_decay)


def test_optimisation_scales_the_rate_and_sets_the_weight_decay() -> None:
    changed = Optimisation(rate=0.5, weight_decay=0.3).of(Schedule(7, learning_rate=0.2))
    assert changed == Schedule(7, learning_rate=0.1, weight_decay=0.3)


def test_the_first_of_the_best_is_kept() -> None:
    models: dict[int, nn.Module] = {settings: nn.Linear(1, 1) for settings in range(4)}
    scores = {models[0]: 0.2, models[1]: 0.9, models[2]: 0.9, models[3]: 0.1}
    found = best_of(range(4), models.__getitem__, scores.__getitem__)
    assert found.settings == 1
    assert found.model is models[1]
    assert found.scores == (0.2, 0.9, 0.9, 0.1)


def test_an_empty_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="no settings"):
        best_of([], lambda _: nn.Linear(1, 1), lambda _: 0.0)
