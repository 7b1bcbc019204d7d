from collections import Counter

import numpy as np

from worker.datasets.synthetic.chances import happens, pick

DRAWS = 4000


def test_a_chance_happens_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    assert abs(sum(happens(generator, 0.2) for _ in range(DRAWS)) / DRAWS - 0.2) < 0.03


def test_names_are_picked_by_their_share_of_the_weights() -> None:
    generator = np.random.default_rng(0)
    counts = Counter(pick(generator, {"often": 3.0, "never": 0.0, "seldom": 1.0}) for _ in range(DRAWS))
    assert counts["never"] == 0
    assert abs(counts["often"] / DRAWS - 0.75) < 0.03
