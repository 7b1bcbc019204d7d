from itertools import islice

import numpy as np
import torch

from tests.worker.lvlm.embedded.test_lessons import material, processor
from worker.lvlm.embedded import lessons
from worker.lvlm.embedded.batches import Batch, Lessons, with_the_artefact


def some(seed: int = 5) -> Lessons:
    kinds = [(lessons.naming, 0.5), (lessons.heeding, 0.5)]
    return Lessons(kinds, 3, material(), processor(), (seed,), with_the_artefact(material()))


def same(one: Batch, other: Batch) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in vars(one)]
    return all((a is b is None) or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)


def test_a_step_has_the_same_batch_whoever_prepares_it_and_whatever_came_before() -> None:
    alone, beside = (list(islice(some().prepared(2, loaders), 4)) for loaders in (0, 1))
    for step, (one, other) in enumerate(zip(alone, beside, strict=True), start=2):
        kind, batch = some()[step]
        assert one[0] == other[0] == kind
        assert same(one[1], batch)
        assert same(other[1], batch)
    assert {kind for kind, _ in islice(some().prepared(0, 0), 12)} == {"naming", "heeding"}


def test_another_seed_has_other_lessons_of_the_same_kind_at_each_step() -> None:
    for step in range(6):
        (kind, batch), (its_kind, its_batch) = some(5)[step], some(6)[step]
        assert kind == its_kind
        assert not same(batch, its_batch)


def test_scenes_with_a_cluster_on_the_artefact_are_half_of_those_that_are_shown() -> None:
    rare = with_the_artefact(material())
    assert 0 < len(rare) < len(material().scenes)
    drawn = np.array([index for step in range(60) for index in some()._some_scenes(np.random.default_rng(step))])
    share = len(rare) / len(material().scenes)
    assert abs(np.isin(drawn, rare).mean() - (0.5 + 0.5 * share)) < 0.12
