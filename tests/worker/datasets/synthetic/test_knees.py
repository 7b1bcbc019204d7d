import numpy as np

from worker.datasets.synthetic import draw_knees
from worker.datasets.synthetic.knee_anatomy import sample_disease, sample_knee

SEEDS = range(200)


def test_osteoarthritis_narrows_the_joint_space() -> None:
    healthy, ill = (np.array([joint_area(label, seed) for seed in SEEDS]) for label in (0, 1))
    assert (ill < healthy).mean() > 0.9
    # The same sign overlaps between people: one cannot tell every knee by it.
    assert ill.max() > healthy.min()


def test_osteoarthritis_adds_spurs_and_sclerosis() -> None:
    healthy, ill = ([sample_disease(label, np.random.default_rng(seed)) for seed in SEEDS] for label in (0, 1))
    assert np.mean([d.spurs for d in ill]) > 2 * np.mean([d.spurs for d in healthy])
    assert np.mean([d.sclerosis for d in ill]) > 2 * np.mean([d.sclerosis for d in healthy])


def test_markers_lie_mostly_near_a_corner_and_at_times_elsewhere() -> None:
    count = 200
    drawn = draw_knees(np.zeros(count, dtype=int), np.ones(count, dtype=bool), 64, np.random.default_rng(0))
    middles = np.array([np.argwhere(mask).mean(axis=0) / 64 for mask in drawn.artefact])
    cornered = ((middles < 0.3) | (middles > 0.7)).all(axis=1)
    assert 0.7 < cornered.mean() < 1
    quadrants = (middles > 0.5) @ np.array([2, 1])
    assert (np.bincount(quadrants, minlength=4) > 0.15 * count).all()


def test_a_marker_is_small_and_bright() -> None:
    count = 60
    labels = np.zeros(count, dtype=int)
    plain, marked = (draw_knees(labels, np.full(count, shown), 96, np.random.default_rng(1)) for shown in (False, True))
    area = marked.artefact.mean(axis=(1, 2))
    assert area.min() > 0.002
    assert area.max() < 0.08
    brighter = marked.images[marked.artefact].mean() - plain.images[marked.artefact].mean()
    assert brighter > 25


def joint_area(label: int, seed: int) -> float:
    """Area of the joint's outline, by the shoelace formula."""
    x, y = sample_knee(label, np.random.default_rng(seed)).joint.T
    return abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2
