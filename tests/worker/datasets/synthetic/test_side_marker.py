import numpy as np

from worker.datasets.synthetic.side_marker import sample_marker

SIZE = 96


def markers(count: int):
    return [sample_marker(np.random.default_rng(seed), SIZE) for seed in range(count)]


def test_brightness_and_cover_are_shares() -> None:
    for marker in markers(50):
        assert marker.grey.shape == marker.cover.shape == (SIZE, SIZE)
        assert 0 <= marker.cover.min() < marker.cover.max() <= 1
        assert 0 <= marker.grey.min() < marker.grey.max() <= 1 + 1e-6
        assert not marker.grey[marker.cover == 0].any()


def test_markers_are_of_a_letters_height() -> None:
    rows = [np.flatnonzero(marker.cover.any(axis=1)) for marker in markers(100)]
    heights = np.array([(row[-1] - row[0] + 1) / SIZE for row in rows])
    assert heights.min() > 0.08
    assert heights.max() < 0.3


def test_some_markers_let_the_bone_shine_through_and_some_do_not() -> None:
    strongest = np.array([marker.cover.max() for marker in markers(100)])
    assert strongest.min() < 0.8
    assert strongest.max() > 0.97


def test_no_two_markers_are_the_same() -> None:
    assert len({marker.cover.tobytes() for marker in markers(50)}) == 50
