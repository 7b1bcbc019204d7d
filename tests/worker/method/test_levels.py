import numpy as np
import pytest

from worker.method import levels as method


def test_levels_are_where_the_words_differ_and_nowhere_where_they_differ_as_dice_do() -> None:
    generator = np.random.default_rng(12)
    few = np.arange(1000) < 30
    field = np.where(few, generator.normal(4.0, 0.3, 1000), generator.normal(0.0, 1.0, 1000))
    told = np.where(generator.random(1000) < np.where(few, 0.8, 0.4), 1.0, -1.0)
    assert method._either_side(field, told, method._two_means(field)) is None  # it halves the many
    found = method.levels(field, told)
    assert found is not None
    assert 2.0 < found.cut < 3.9
    assert found.prevalence == pytest.approx(0.03, abs=0.02)
    dice = [np.sign(generator.random(1000) - 0.5) for _ in range(100)]
    assert sum(method.levels(field, thrown) is not None for thrown in dice) <= 10
    rarer = np.where(few, -1.0, 1.0)
    assert method.levels(field, rarer) is None  # less often said to be spurious above


def test_clusters_without_a_word_or_all_alike_have_no_levels_to_look_for() -> None:
    word = np.tile([1.0, -1.0], 50)
    assert method._where_words_differ(np.zeros(100), word) is None
    field = np.linspace(-1, 1, 100)
    silent = np.where(field > 0, 0.0, word)
    silent[:4] = 0.0
    assert method._where_words_differ(field, silent) is None
